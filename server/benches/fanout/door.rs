//! The server's door: how a connection is opened there, and what it says.

use crate::{
    frames,
    plan::{Names, Plan, Presence},
};
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

/// The receive buffer of those who stall, in bytes: the kernel does not read for them what they do not.
const STALLED_BUFFER: usize = 4 * 1024;

/// A server that a load may go to.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    address: SocketAddr,
    language: Language,
    /// Tells this run from every other one: milliseconds since 1970.
    run: u128,
    /// How many loads came through this door before.
    load: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    /// `docs/protocol.md`, as Taproom and its peers speak it.
    Protocol,
    /// The bare sockets of `bare.rs`: no HTTP, and what is said goes out as it came.
    Bare,
}

/// One more connection that comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) number: usize,
    /// How often this number has come before.
    pub(crate) returns: u32,
    /// The position that it reads on from.
    pub(crate) after: Option<u64>,
}

impl Door {
    pub(crate) fn of_chat(address: SocketAddr) -> Door {
        Door::new(address, Language::Protocol)
    }

    pub(crate) fn of_bare_sockets(address: SocketAddr) -> Door {
        Door::new(address, Language::Bare)
    }

    fn new(address: SocketAddr, language: Language) -> Door {
        let run = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis());
        Door { address, language, run, load: 0 }
    }

    /// Another load begins: its messages are others, and so have other ids.
    pub(crate) fn begin_load(&mut self) {
        self.load += 1;
    }

    /// Whether a connection begins with the answer to an upgrade.
    pub(crate) fn begins_with_http(&self) -> bool {
        self.language == Language::Protocol
    }

    /// Opens a connection and asks to be let into its room.
    pub(crate) fn open(&self, plan: &Plan, arrival: Arrival) -> Result<Wire> {
        let number = arrival.number;
        let stalls = number >= plan.connections - plan.stalled;
        let mut stream = self.connect(number, stalls).with_context(|| {
            format!("open connection {number} to {}; has the server ended, or no files left?", self.address)
        })?;
        stream.write_all(&self.hello(plan, arrival)).context("ask to be let in")?;
        stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).context("set the socket up")?;
        Ok(Wire { stream, writing: Mutex::new(()) })
    }

    fn connect(&self, number: usize, stalls: bool) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
        if stalls {
            socket.set_recv_buffer_size(STALLED_BUFFER)?;
        }
        if self.address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            let source = 2 + (number / CONNECTIONS_PER_SOURCE % 250) as u8;
            socket.bind(&SocketAddr::from(([127, 0, 0, source], 0)).into())?;
        }
        socket.connect(&self.address.into())?;
        Ok(socket.into())
    }

    fn hello(&self, plan: &Plan, arrival: Arrival) -> Vec<u8> {
        let room = plan.room(arrival.number);
        match self.language {
            Language::Bare => (room as u32).to_le_bytes().into(),
            Language::Protocol => format!(
                "GET /ws?room={}{} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                self.room_name(room),
                query(plan.names, arrival),
                self.address
            )
            .into(),
        }
    }

    fn room_name(&self, room: usize) -> String {
        format!("bench-{}-{room}", self.run % 1_000_000)
    }

    /// Which room a frame's `Room` is.
    pub(crate) fn room_of(name: &[u8]) -> Option<usize> {
        std::str::from_utf8(name).ok()?.rsplit_once('-')?.1.parse().ok()
    }

    /// The frames that ask for the other rooms of a connection, one after the other.
    pub(crate) fn joins(&self, plan: &Plan, connection: usize) -> Vec<u8> {
        let join = |room| frames::from_client(&format!(r#"{{"Type":"Join","Room":"{}"}}"#, self.room_name(room)));
        plan.other_rooms(connection).flat_map(join).collect()
    }

    /// The frame that says a message.
    pub(crate) fn speech(&self, plan: &Plan, message: usize) -> Vec<u8> {
        let text = STANDARD.encode(plan.text(message));
        let id = format!("{:013}{:03}{message:010}", self.run, self.load);
        match (self.language, plan.presence) {
            (Language::Bare, _) => frames::from_server(&self.event(plan, message, &text, &id)),
            (Language::Protocol, Presence::OneRoom) => {
                frames::from_client(&format!(r#"{{"Type":"Chat","Message":"{text}","Id":"{id}"}}"#))
            }
            (Language::Protocol, Presence::EveryRoom) => {
                let room = self.room_name(plan.room(plan.sender(message)));
                frames::from_client(&format!(r#"{{"Type":"Chat","Room":"{room}","Message":"{text}","Id":"{id}"}}"#))
            }
        }
    }

    /// The event as Taproom would send it: the same fields of the same lengths.
    fn event(&self, plan: &Plan, message: usize, text: &str, id: &str) -> String {
        let room = self.room_name(plan.room(plan.sender(message)));
        let seq = message / plan.rooms + 1;
        format!(r#"{{"Type":"Chat","Room":"{room}","WSID":"{id}","Author":"guest-bare","Message":"{text}","#)
            + &format!(r#""Sent":"2026-01-01T00:00:00.000Z","Seq":{seq},"Id":"{id}"}}"#)
    }

    /// Which message of this load an id belongs to; `None` for all others.
    pub(crate) fn message_of(&self, id: &[u8]) -> Option<usize> {
        let (run, rest) = std::str::from_utf8(id).ok()?.split_at_checked(13)?;
        let (load, message) = rest.split_at_checked(3)?;
        (run.parse() == Ok(self.run) && load.parse() == Ok(self.load)).then(|| message.parse().ok())?
    }
}

/// What an address says after the room.
fn query(names: Names, arrival: Arrival) -> String {
    let Arrival { number, returns, after } = arrival;
    // Another name each time: the server may not have noticed yet that the last one is free.
    let name = if names == Names::Named { format!("&name=reader-{number}-{returns}") } else { String::new() };
    name + &after.map(|seq| format!("&after={seq}")).unwrap_or_default()
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
