//! The binary as a child process: started, signalled, heard to its end.

use std::{
    net::SocketAddr,
    process::{Output, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// The deadline of a binary that is told to stop is 10 s by default.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// The binary with these arguments and nothing in its environment; it dies with its handle.
pub(crate) fn taproom(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taproom"));
    command.args(arguments).env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to an end that must come by itself.
pub(crate) async fn run(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        timeout(DEADLINE, command.output()).await.expect("it ends by itself").expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("a text");
    (status.code(), text(stdout), text(stderr))
}

/// Starts it, and waits until it says where it is.
pub(crate) async fn started(mut command: Command) -> (Child, SocketAddr) {
    let mut child = command.spawn().expect("it starts");
    let out = child.stdout.as_mut().expect("it is piped");
    let mut line = String::new();
    timeout(DEADLINE, BufReader::new(out).read_line(&mut line)).await.expect("it is ready").expect("a line");
    let address = line.trim().strip_prefix("Taproom is ready: http://").unwrap_or_else(|| panic!("it said {line:?}"));
    (child, address.parse().expect("an address"))
}

pub(crate) async fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("it runs");
    // The shell's own kill: the program of that name is not on every machine.
    let kill = format!("kill {name} {pid}");
    let sent = Command::new("sh").args(["-c", &kill]).status().await.expect("a shell is there");
    assert!(sent.success());
}

/// Waits for its end, and answers its exit code and what it logged.
pub(crate) async fn ended(mut child: Child) -> (Option<i32>, String) {
    let mut log = String::new();
    let mut stderr = child.stderr.take().expect("it is piped");
    let reading = timeout(DEADLINE, stderr.read_to_string(&mut log));
    reading.await.expect("it ends within the deadline").expect("a text");
    (child.wait().await.expect("it ended").code(), log)
}
