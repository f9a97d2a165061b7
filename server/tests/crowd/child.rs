//! The server, as a process that can be killed.

use std::{net::SocketAddr, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::{Instant, timeout},
};

/// How long a start may take.
const START: Duration = Duration::from_secs(20);

/// A server in a process of its own, always at the same address over the same log.
pub(crate) struct Taproom {
    data: TempDir,
    address: SocketAddr,
    child: Child,
    /// When the one that runs was ready.
    up: watch::Sender<Instant>,
}

impl Taproom {
    pub(crate) async fn start() -> Taproom {
        let data = tempfile::tempdir().expect("a directory");
        let (child, address) = run(&data, "127.0.0.1:0").await;
        Taproom { data, address, child, up: watch::Sender::new(Instant::now()) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// SIGKILL in the middle of whatever it does, and another one in its place.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.child.kill().await.expect("it runs");
        (self.child, _) = run(&self.data, &self.address.to_string()).await;
        self.up.send_replace(Instant::now());
    }

    /// Tells when the server was ready.
    pub(crate) fn up(&self) -> watch::Receiver<Instant> {
        self.up.subscribe()
    }
}

async fn run(data: &TempDir, address: &str) -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_taproom"))
        .args(["serve", "--listen", address, "--log", "warn", "--message-burst", "1000000"])
        .arg("--data")
        .arg(data.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    timeout(START, out.read_line(&mut line)).await.expect("it is ready").expect("a line");
    let address = line.trim().strip_prefix("Taproom is ready: http://").unwrap_or_else(|| panic!("it said {line:?}"));
    (child, address.parse().expect("an address"))
}
