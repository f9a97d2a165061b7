//! A Taproom of a test's own: one directory, one port, one process after another.

use crate::support::{
    binary::{self, DEADLINE, taproom},
    http, in_time,
};
use app::protocol::{Chat, Epoch, Event, Page, RoomName, Seq};
use rand::Rng;
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

/// Ports that no system gives to outgoing connections: a client that dials while nobody listens would otherwise get the
/// very port now and then, be connected with itself, and keep the server from listening.
const PORTS: std::ops::Range<u16> = 15_000..30_000;

/// Ports that are tried.
const TRIES: usize = 100;

/// Events of a page of history.
const PAGE: usize = 200;

/// Lines of the server's log that are shown when a test fails.
const QUOTED: usize = 20;

/// A server in a process of its own.
pub(crate) struct Taproom {
    folder: TempDir,
    pub(crate) address: SocketAddr,
    child: Option<Child>,
    /// How long every start took, from the call to the line that says it is ready.
    pub(crate) starts: Vec<Duration>,
}

impl Taproom {
    /// Starts one over an empty directory.
    pub(crate) async fn start() -> Taproom {
        Taproom::start_over(tempfile::tempdir().expect("a directory")).await
    }

    /// Starts one over what is in a directory.
    pub(crate) async fn start_over(folder: TempDir) -> Taproom {
        let mut taproom = Taproom { folder, address: free_address().await, child: None, starts: Vec::new() };
        taproom.start_again().await;
        taproom
    }

    fn command(&self) -> Command {
        let mut command = taproom(&["serve", "--log", "warn"]);
        command.arg("--data").arg(self.data()).args(["--listen", &self.address.to_string()]);
        command.args(["--messages-per-second", "1000000", "--message-burst", "1000000"]);
        let log =
            File::options().create(true).append(true).open(self.log_file()).expect("the directory can be written");
        command.stderr(log);
        command
    }

    /// Starts it on the same port over the same directory, and waits until it is ready.
    pub(crate) async fn start_again(&mut self) {
        let began = Instant::now();
        let (child, _) = binary::started(self.command()).await;
        self.starts.push(began.elapsed());
        self.child = Some(child);
    }

    /// Starts it, and kills it so soon that it may not be ready.
    pub(crate) async fn start_and_kill_after(&mut self, moment: Duration) {
        self.child = Some(self.command().spawn().expect("it starts"));
        tokio::time::sleep(moment).await;
        self.kill().await;
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) async fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().await.expect("it is ours");
    }

    /// SIGTERM, and waits for its end. Answers the exit code.
    pub(crate) async fn stop(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it runs");
        binary::signal(&child, "-TERM").await;
        in_time("the end", 2 * DEADLINE, child.wait()).await.expect("it is ours").code()
    }

    /// Where it keeps what it keeps.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.data().join("taproom.db")
    }

    /// What is in the WAL and not in the database itself, in bytes.
    pub(crate) fn wal_bytes(&self) -> u64 {
        fs::metadata(self.data().join("taproom.db-wal")).map_or(0, |wal| wal.len())
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// Errors that it logged, in all its lives.
    pub(crate) fn errors(&self) -> Vec<String> {
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        log.lines().filter(|line| line.contains(r#""level":"ERROR""#)).map(str::to_owned).collect()
    }

    pub(crate) fn slowest_start(&self) -> Duration {
        self.starts.iter().max().copied().unwrap_or_default()
    }

    /// Stops the server if it runs, and hands over its directory.
    pub(crate) async fn give_up(mut self) -> TempDir {
        if self.child.is_some() {
            self.kill().await;
        }
        std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a directory"))
    }

    /// A page of a room's log over HTTP.
    pub(crate) async fn page(&self, room: &RoomName, query: &str) -> Page {
        page(self.address, room, query).await
    }

    /// Everything that was ever said in a room, over HTTP, and in which life of the log.
    pub(crate) async fn log_of(&self, room: &RoomName) -> (Epoch, Vec<Chat>) {
        let mut log = Vec::new();
        loop {
            let after = log.last().map_or(Seq::ZERO, |chat: &Chat| chat.seq);
            let page = self.page(room, &format!("after={after}&limit={PAGE}")).await;
            log.extend(page.events.into_iter().map(|Event::Chat(chat)| chat));
            if log.last().is_none_or(|last| last.seq >= page.head || last.seq == after) {
                return (page.epoch, log);
            }
        }
    }
}

impl Drop for Taproom {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.log_file()).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("the server's log ends with:\n{}", lines[lines.len().saturating_sub(QUOTED)..].join("\n"));
        }
    }
}

/// A page of a room's log over HTTP.
pub(crate) async fn page(address: SocketAddr, room: &RoomName, query: &str) -> Page {
    let path = format!("/api/v1/rooms/{room}/events?{query}");
    let asking = async {
        let wire = TcpStream::connect(address).await.expect("the server listens");
        http::ask(Box::new(wire), &address.to_string(), "GET", &path, &[]).await
    };
    let answer = in_time(&path, DEADLINE, asking).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Runs `taproom check` over a data directory, and answers its exit code and what it printed.
pub(crate) async fn check(data: &Path) -> (Option<i32>, String) {
    let mut command = taproom(&["check", "--data"]);
    command.arg(data);
    let (code, found, trouble) = binary::run(command).await;
    (code, found + &trouble)
}

async fn free_address() -> SocketAddr {
    for _ in 0..TRIES {
        let address = (Ipv4Addr::LOCALHOST, rand::rng().random_range(PORTS)).into();
        if TcpListener::bind(address).await.is_ok() {
            return address;
        }
    }
    panic!("no free port in {PORTS:?}");
}
