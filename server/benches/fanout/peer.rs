//! The server under load: a child of this process, or one that runs already.

use crate::{accounting::Account, arguments::Arguments, door::Door};
use anyhow::{Context, Result, bail, ensure};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a server may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// The line on standard output that tells where a server listens begins so.
const READY: &str = "Taproom is ready: ";

/// More than any load sends: the limit for one person is not what is measured here.
const NO_LIMIT: &str = "1000000";

/// A server that is up.
pub(crate) struct Taproom {
    pub(crate) door: Door,
    /// `None` where the server is somebody else's, and its process was not named.
    pub(crate) account: Option<Account>,
    pub(crate) started: Option<Started>,
    _child: Option<Running>,
}

/// How a server began.
pub(crate) struct Started {
    /// From the start of the process to the last byte of its first answer, a page.
    pub(crate) first_answer: Duration,
    /// Resident bytes then.
    pub(crate) resident: f64,
}

/// The server as long as it is wanted.
struct Running {
    child: Child,
    /// Kept open: the server may write there.
    _out: BufReader<ChildStdout>,
    _data: TempDir,
}

impl Taproom {
    /// The server that the arguments name: a running one, or a fresh one.
    pub(crate) fn of(arguments: &Arguments) -> Result<Taproom> {
        match &arguments.url {
            Some(url) => Taproom::at(url, arguments.pid),
            None => Taproom::start(&arguments.binary),
        }
    }

    fn at(url: &str, pid: Option<u32>) -> Result<Taproom> {
        let address = address_of(url)?;
        get_page(address)?;
        let account = pid.map(Account::of_process);
        Ok(Taproom { door: Door::of_taproom(address), account, started: None, _child: None })
    }

    fn start(binary: &Path) -> Result<Taproom> {
        let data = tempfile::tempdir().context("make a directory for the server's data")?;
        let begun = Instant::now();
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
            .args(["--messages-per-second", NO_LIMIT, "--message-burst", NO_LIMIT, "--data"])
            .arg(data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}; another server is named with --binary", binary.display()))?;
        let out = BufReader::new(child.stdout.take().expect("it was asked for above"));
        let account = Account::of_process(child.id());
        let mut running = Running { child, _out: out, _data: data };
        let address = running.wait_until_ready()?;
        get_page(address)?;
        let started = Started { first_answer: begun.elapsed(), resident: account.resident()? };
        Ok(Taproom {
            door: Door::of_taproom(address),
            account: Some(account),
            started: Some(started),
            _child: Some(running),
        })
    }
}

impl Running {
    fn wait_until_ready(&mut self) -> Result<SocketAddr> {
        let mut line = String::new();
        self._out.read_line(&mut line).context("read what the server says")?;
        match line.trim().strip_prefix(READY) {
            Some(url) => address_of(url),
            None => bail!("the server did not say that it is ready, but {:?}; run it by hand to see why", line.trim()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address_of(url: &str) -> Result<SocketAddr> {
    let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let host = host.with_context(|| format!("{url} is not like http://127.0.0.1:3000"))?;
    let mut addresses = host.to_socket_addrs().with_context(|| format!("find {host}; a URL here has a port"))?;
    addresses.next().with_context(|| format!("{host} has no address"))
}

/// Gets the page of the default room, whole.
fn get_page(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE)).context("set the socket up")?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").context("ask for a page")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("read the first page")?;
    let head = String::from_utf8_lossy(&answer[..answer.len().min(64)]);
    ensure!(head.starts_with("HTTP/1.1 200 "), "the first page is not there: {head:?}");
    Ok(())
}
