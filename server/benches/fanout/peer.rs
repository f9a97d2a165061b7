//! The server under load: Taproom, or a peer that it is measured against.

use crate::{
    accounting::{Account, Memory},
    arguments::Arguments,
    disk,
    door::Door,
};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::{
    convert::Infallible,
    fmt,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a server may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// The line on standard output that tells where a server listens has this before the address.
const READY: &str = " is ready: ";

/// More than any load sends: the limit for one person is not what is measured here.
const NO_LIMIT: &str = "1000000";

/// Bun's server, and where npm puts Bun.
const BUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/bun");

/// A program of Bun that is smaller than this, in bytes, is npm's stand-in for it.
const SMALLEST_BUN: u64 = 1_000_000;

/// Who serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    Taproom,
    /// The same chat on Bun, which keeps nothing.
    Bun,
    /// A program that speaks as Bun's does and says where it listens.
    Program(PathBuf),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Taproom => f.pad("taproom"),
            Peer::Bun => f.pad("bun"),
            Peer::Program(path) => f.pad(&path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()),
        }
    }
}

impl FromStr for Peer {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Peer, Infallible> {
        Ok(match name {
            "taproom" => Peer::Taproom,
            "bun" => Peer::Bun,
            path => Peer::Program(path.into()),
        })
    }
}

/// The programs that serve.
#[derive(Debug, Clone, Args)]
pub(crate) struct Programs {
    /// The Taproom to start, on a free port and with a directory of its own. Without it: the one that cargo built with
    /// this benchmark
    #[arg(long, default_value = env!("CARGO_BIN_EXE_taproom"), hide_default_value = true, value_name = "PATH")]
    pub(crate) binary: PathBuf,
}

/// A server that is up.
pub(crate) struct Server {
    pub(crate) door: Door,
    /// `None` where the server is somebody else's, and its process was not named.
    pub(crate) account: Option<Account>,
    pub(crate) started: Option<Started>,
    _child: Option<Running>,
}

/// How a server began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    /// From the start of the process to the last byte of its first answer, a page.
    pub(crate) first_answer: Duration,
    /// Memory then.
    pub(crate) memory: Memory,
}

/// The server as long as it is wanted.
struct Running {
    child: Child,
    /// Kept open: the server may write there.
    _out: BufReader<ChildStdout>,
    _data: TempDir,
}

impl Server {
    /// The server that the arguments name: a running one, or a fresh one.
    pub(crate) fn of(arguments: &Arguments) -> Result<Server> {
        match &arguments.url {
            Some(url) => Server::at(url, arguments.pid),
            None => Server::start(&arguments.peer, &arguments.programs),
        }
    }

    pub(crate) fn at(url: &str, pid: Option<u32>) -> Result<Server> {
        let address = address_of(url)?;
        get_page(address)?;
        let account = pid.map(Account::of_process);
        Ok(Server { door: Door::of_chat(address), account, started: None, _child: None })
    }

    /// A fresh server on a free port, with an empty directory if it keeps anything.
    pub(crate) fn start(peer: &Peer, programs: &Programs) -> Result<Server> {
        Server::spawn(data()?, |data| command(peer, programs, data))
    }

    /// A fresh Taproom that measures itself, and where it tells what.
    pub(crate) fn start_measured(programs: &Programs) -> Result<(Server, String)> {
        // Free now, and hardly anybody else's a moment later: what prints its port is the other listener.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let address = free.context("find a free port")?.to_string();
        let server = Server::spawn(data()?, |data| {
            let mut command = command(&Peer::Taproom, programs, data)?;
            command.env("TAPROOM_METRICS", &address);
            Ok(command)
        })?;
        Ok((server, format!("http://{address}/metrics")))
    }

    fn spawn(data: TempDir, command: impl FnOnce(&Path) -> Result<Command>) -> Result<Server> {
        let mut command = command(data.path())?;
        let begun = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        let out = BufReader::new(child.stdout.take().expect("it was asked for above"));
        let account = Account::of_process(child.id());
        let mut running = Running { child, _out: out, _data: data };
        let address = running.wait_until_ready()?;
        get_page(address)?;
        let started = Started { first_answer: begun.elapsed(), memory: account.memory()? };
        Ok(Server {
            door: Door::of_chat(address),
            account: Some(account),
            started: Some(started),
            _child: Some(running),
        })
    }
}

fn data() -> Result<TempDir> {
    tempfile::tempdir_in(disk::data_folder()?).context("make a directory for the server's data")
}

fn command(peer: &Peer, programs: &Programs, data: &Path) -> Result<Command> {
    Ok(match peer {
        Peer::Taproom => {
            let mut command = Command::new(&programs.binary);
            command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
            command.args(["--messages-per-second", NO_LIMIT, "--message-burst", NO_LIMIT, "--data"]).arg(data);
            command
        }
        Peer::Bun => {
            let mut command = Command::new(bun()?);
            command.arg(Path::new(BUN).join("server.js")).env("NODE_ENV", "production");
            command
        }
        Peer::Program(path) => Command::new(path),
    })
}

/// Where npm has put Bun itself: beside its platform's package, or in it where npm was not to run scripts. What a shell
/// would find in the latter case stands in for it, and its process is not the one to account for.
fn bun() -> Result<PathBuf> {
    let modules = Path::new(BUN).join("node_modules");
    let platforms = modules.join("@oven").read_dir().into_iter().flatten().flatten();
    let mut places = platforms.map(|platform| platform.path().join("bin/bun")).chain([modules.join("bun/bin/bun.exe")]);
    let bun = places.find(|place| place.metadata().is_ok_and(|about| about.len() >= SMALLEST_BUN));
    bun.with_context(|| format!("find Bun; `cargo xtask bench` gets it, and so does `npm ci` in {BUN}"))
}

impl Running {
    fn wait_until_ready(&mut self) -> Result<SocketAddr> {
        let mut line = String::new();
        self._out.read_line(&mut line).context("read what the server says")?;
        match line.trim().split_once(READY) {
            Some((_, url)) => address_of(url),
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
    get(address, "/").map(|_| ())
}

/// Gets what is at a URL.
pub(crate) fn get_url(url: &str) -> Result<String> {
    let (origin, path) = match url.match_indices('/').nth(2) {
        Some((slash, _)) => url.split_at(slash),
        None => (url, "/"),
    };
    get(address_of(origin)?, path)
}

fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE)).context("set the socket up")?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").context("ask for a page")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("read {path}"))?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{path} is not there: {:?}", answer.lines().next());
    Ok(answer)
}
