//! A server that belongs to one test.

use super::{
    Answer, RawSocket, TestClient, Wire, http, in_time,
    memory::{Dialer, in_memory},
};
use app::protocol::Page;
use axum::serve::Listener;
use server::{Entrance, Peer, Server, Stop, config::Serve};
use std::{net::SocketAddr, time::Duration};
use tempfile::TempDir;
use tokio::{net::TcpStream, task::JoinSet};

/// A server that listens, until it is stopped or dropped.
pub(crate) struct TestServer {
    config: Serve,
    /// Where its log lies, unless the test brought a directory.
    data: Option<TempDir>,
    door: Door,
    /// Where `/metrics` is, if it is anywhere.
    metrics: Option<SocketAddr>,
    stop: Stop,
    /// One task, which ends when the server has stopped.
    serving: JoinSet<()>,
}

enum Door {
    Tcp(SocketAddr),
    Memory(Dialer),
}

/// The configuration of a server that never says "too fast".
pub(crate) fn unhurried() -> Serve {
    Serve { messages_per_second: 1_000_000, message_burst: 1_000_000, ..Serve::default() }
}

/// The configuration with a directory of its own, where it names only the default one.
fn with_data(config: &Serve) -> (Serve, Option<TempDir>) {
    if config.data != Serve::default().data {
        return (config.clone(), None);
    }
    let data = tempfile::tempdir().expect("a directory");
    (Serve { data: data.path().into(), ..config.clone() }, Some(data))
}

impl TestServer {
    pub(crate) async fn start() -> TestServer {
        TestServer::start_with(&Serve::default()).await
    }

    /// A server on a free port of this machine, with an empty log where the configuration names none.
    pub(crate) async fn start_with(config: &Serve) -> TestServer {
        let (config, data) = with_data(config);
        TestServer::listen(config, data).await
    }

    /// A server that is reached without a network: for tests in paused time.
    pub(crate) fn in_memory(config: &Serve) -> TestServer {
        let (dialer, listener) = in_memory();
        let (config, data) = with_data(config);
        TestServer::serve(config, data, listener, Door::Memory(dialer), None)
    }

    async fn listen(config: Serve, data: Option<TempDir>) -> TestServer {
        let listener = Entrance::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let metrics = match &config.metrics {
            Some(address) => Some(Entrance::bind(address).await.expect("a free port")),
            None => None,
        };
        TestServer::serve(config, data, listener, Door::Tcp(address), metrics)
    }

    fn serve<L: Listener<Addr: Peer>>(
        config: Serve,
        data: Option<TempDir>,
        listener: L,
        door: Door,
        metrics: Option<Entrance>,
    ) -> TestServer {
        let mut server = Server::open(&config).expect("the directory is its own");
        let metrics_address = metrics.as_ref().map(|entrance| entrance.local_addr().expect("it is bound"));
        if let Some(entrance) = metrics {
            server = server.show_metrics_at(entrance);
        }
        let stop = server.stop_handle();
        let mut serving = JoinSet::new();
        serving.spawn(server.serve(listener));
        TestServer { config, data, door, metrics: metrics_address, stop, serving }
    }

    /// Stops the server and starts another one over the same log, elsewhere.
    pub(crate) async fn restart(self) -> TestServer {
        let (config, data) = self.end().await;
        TestServer::listen(config, data).await
    }

    /// Tells the server to stop, and does not wait for it.
    pub(crate) fn tell_to_stop(&self) {
        self.stop.stop();
    }

    /// Stops the server, and waits until it has.
    pub(crate) async fn stop(self) {
        self.end().await;
    }

    async fn end(mut self) -> (Serve, Option<TempDir>) {
        self.stop.stop();
        let ended = in_time("the server stops", self.patience(), self.serving.join_next()).await;
        ended.expect("it was serving").expect("serving does not panic");
        (self.config, self.data)
    }

    /// What the `Host` of a request to this server is.
    pub(crate) fn host(&self) -> String {
        match &self.door {
            Door::Tcp(address) => address.to_string(),
            Door::Memory(_) => "memory".to_owned(),
        }
    }

    /// How long a fact may take. Paused time runs on by itself, so there it has to reach beyond every timer.
    fn patience(&self) -> Duration {
        match &self.door {
            Door::Tcp(_) => Duration::from_secs(20),
            Door::Memory(_) => Duration::from_secs(2 * 60 * 60),
        }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.host())
    }

    pub(crate) async fn dial(&self) -> Wire {
        match &self.door {
            Door::Tcp(address) => {
                let wire = TcpStream::connect(address).await.expect("the server listens");
                wire.set_nodelay(true).expect("a TCP socket");
                Box::new(wire)
            }
            Door::Memory(dialer) => Box::new(dialer.dial()),
        }
    }

    // Sockets

    /// A socket that was opened with a query such as `room=x&after=3`, and has read nothing yet.
    pub(crate) async fn connect(&self, query: &str) -> TestClient {
        self.connect_with(query, &[]).await
    }

    pub(crate) async fn connect_with(&self, query: &str, headers: &[(&str, &str)]) -> TestClient {
        TestClient::open(self.dial().await, &self.host(), query, headers, self.patience()).await
    }

    /// A socket of a program that is in a room and has been told who else is.
    pub(crate) async fn enter(&self, room: &str) -> TestClient {
        let mut client = self.connect(&format!("room={room}")).await;
        client.users().await;
        client
    }

    /// A socket that a browser's page opened, which has read nothing yet.
    pub(crate) async fn tab(&self, query: &str, cookie: &str) -> TestClient {
        self.connect_with(query, &[("origin", &self.origin()), ("cookie", cookie)]).await
    }

    /// A socket whose bytes the test writes itself.
    pub(crate) async fn raw(&self, query: &str) -> RawSocket {
        self.raw_saying(query, &[]).await
    }

    /// The same, and some bytes go out together with the request.
    pub(crate) async fn raw_saying(&self, query: &str, early: &[u8]) -> RawSocket {
        RawSocket::open(self.dial().await, &self.host(), query, early, self.patience()).await
    }

    /// Asks for a socket and answers what the server says to that.
    pub(crate) async fn knock(&self, query: &str, headers: &[(&str, &str)]) -> Answer {
        let path = format!("/ws?{query}");
        in_time(&path, self.patience(), http::knock(self.dial().await, &self.host(), &path, headers)).await
    }

    // HTTP

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[]).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        in_time(path, self.patience(), http::ask(self.dial().await, &self.host(), method, path, headers)).await
    }

    /// What `/metrics` says, or another path of that listener.
    pub(crate) async fn ask_metrics(&self, path: &str) -> Answer {
        let address = self.metrics.expect("it was told to measure");
        let wire = TcpStream::connect(address).await.expect("it listens");
        in_time(path, self.patience(), http::ask(Box::new(wire), &address.to_string(), "GET", path, &[])).await
    }

    /// A page of a room's log, by a query such as `after=3`.
    pub(crate) async fn history(&self, room: &str, query: &str) -> Page {
        let answer = self.get(&format!("/api/v1/rooms/{room}/events?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}
