//! The server's door: how a connection is opened there, and what it says.

use crate::{frames, plan::Plan};
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use socket2::{Domain, Socket, Type};
use std::{
    io::{self, ErrorKind, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// Connections from one source address: each address has its own ports, about 28,000 of them.
const CONNECTIONS_PER_SOURCE: usize = 2_000;

/// How long a write may take in all.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Between two tries to write to a socket that is full.
const WRITE_PAUSE: Duration = Duration::from_micros(200);

/// A server that a load may go to.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    address: SocketAddr,
    server: Server,
    /// Tells this load from every other one: milliseconds since 1970.
    run: u128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Taproom,
    /// The bare sockets of `bare.rs`: no HTTP, and what is said goes out as it came.
    Bare,
}

impl Door {
    pub(crate) fn of_taproom(address: SocketAddr) -> Door {
        Door::new(address, Server::Taproom)
    }

    pub(crate) fn of_bare_sockets(address: SocketAddr) -> Door {
        Door::new(address, Server::Bare)
    }

    fn new(address: SocketAddr, server: Server) -> Door {
        let run = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis());
        Door { address, server, run }
    }

    /// Whether a connection begins with the answer to an upgrade.
    pub(crate) fn begins_with_http(&self) -> bool {
        self.server == Server::Taproom
    }

    /// Opens the connection of that number and asks to be let into a room.
    pub(crate) fn open(&self, number: usize, room: usize) -> Result<Wire> {
        let mut stream = self.connect(number).with_context(|| {
            format!("open connection {number} to {}; has the server ended, or no files left?", self.address)
        })?;
        stream.write_all(&self.hello(room)).context("ask to be let in")?;
        stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).context("set the socket up")?;
        Ok(Wire { stream, writing: Mutex::new(()) })
    }

    fn connect(&self, number: usize) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
        if self.address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            let source = 2 + (number / CONNECTIONS_PER_SOURCE % 250) as u8;
            socket.bind(&SocketAddr::from(([127, 0, 0, source], 0)).into())?;
        }
        socket.connect(&self.address.into())?;
        Ok(socket.into())
    }

    fn hello(&self, room: usize) -> Vec<u8> {
        match self.server {
            Server::Bare => (room as u32).to_le_bytes().into(),
            Server::Taproom => format!(
                "GET /ws?room={} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                self.room_name(room),
                self.address
            )
            .into(),
        }
    }

    fn room_name(&self, room: usize) -> String {
        format!("bench-{}-{room}", self.run % 1_000_000)
    }

    /// The frame that says a message.
    pub(crate) fn speech(&self, plan: &Plan, message: usize) -> Vec<u8> {
        let text = STANDARD.encode(plan.text(message));
        let id = format!("{:013}{message:013}", self.run);
        match self.server {
            Server::Taproom => frames::from_client(&format!(r#"{{"Type":"Chat","Message":"{text}","Id":"{id}"}}"#)),
            Server::Bare => frames::from_server(&self.event(plan, message, &text, &id)),
        }
    }

    /// The event as Taproom would send it: the same fields of the same lengths.
    fn event(&self, plan: &Plan, message: usize, text: &str, id: &str) -> String {
        let room = self.room_name(plan.room(plan.sender(message)));
        let seq = message / plan.rooms + 1;
        format!(r#"{{"Type":"Chat","Room":"{room}","WSID":"{id}","Author":"guest-bare","Message":"{text}","#)
            + &format!(r#""Sent":"2026-01-01T00:00:00.000Z","Seq":{seq},"Id":"{id}"}}"#)
    }

    /// Which message an id belongs to; `None` for those of others.
    pub(crate) fn message_of(&self, id: &[u8]) -> Option<usize> {
        let (run, message) = std::str::from_utf8(id).ok()?.split_at_checked(13)?;
        (run.parse() == Ok(self.run)).then(|| message.parse().ok())?
    }
}

/// One connection: read by the thread that counts, written to by the one that speaks.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    /// Held while a frame is written, so that a pong cannot fall into the middle of it.
    writing: Mutex<()>,
}

impl Wire {
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Says something, to its end.
    pub(crate) fn say(&self, frame: &[u8]) -> Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        write_whole(&self.stream, frame).context("say a message")
    }

    /// Answers a ping, unless something is being said: that tells the server as much, and the reader must not wait.
    pub(crate) fn answer_ping(&self, ping: &[u8]) -> Result<()> {
        match self.writing.try_lock() {
            Ok(_writing) => write_whole(&self.stream, &frames::pong(ping)).context("answer a ping"),
            Err(_) => Ok(()),
        }
    }
}

/// Writes everything to a socket that does not block.
pub(crate) fn write_whole(mut stream: &TcpStream, mut bytes: &[u8]) -> Result<()> {
    let begun = Instant::now();
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ensure!(begun.elapsed() < WRITE_DEADLINE, "the other side read nothing for {WRITE_DEADLINE:?}");
                std::thread::sleep(WRITE_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
