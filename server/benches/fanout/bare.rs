//! Bare sockets: what TCP itself costs. One thread that sends every frame on as it came, one `send` for each receiver.

use crate::{
    accounting::Account,
    door::{Door, write_whole},
    frames,
};
use anyhow::{Context, Result, anyhow};
use mio::{Events, Interest, Poll, Token, Waker, unix::SourceFd};
use std::{
    io::{ErrorKind, Read},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);

/// One read, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// The thread that sends on. Dropping it stops it.
pub(crate) struct BareSockets {
    pub(crate) door: Door,
    pub(crate) account: Account,
    stop: Arc<Waker>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl BareSockets {
    pub(crate) fn start() -> Result<BareSockets> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen on a free port")?;
        let door = Door::of_bare_sockets(listener.local_addr().context("ask for the address")?);
        let poll = Poll::new().context("ask for epoll")?;
        let stop = Arc::new(Waker::new(poll.registry(), STOP).context("use epoll")?);
        let (tell, account) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let _ = tell.send(Account::of_this_thread());
            Bare { listener, poll, members: Vec::new(), rooms: Vec::new() }.run()
        });
        let account = account.recv().map_err(|_| anyhow!("the thread of bare sockets did not start"))??;
        Ok(BareSockets { door, account, stop, thread: Some(thread) })
    }

    /// Stops the thread, and tells what went wrong on it.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.stop.wake().context("stop the thread of bare sockets")?;
        let thread = self.thread.take().expect("it is taken here alone, and this takes the whole");
        thread.join().map_err(|_| anyhow!("the thread of bare sockets panicked"))?
    }
}

impl Drop for BareSockets {
    fn drop(&mut self) {
        let _ = self.stop.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Bare {
    listener: TcpListener,
    poll: Poll,
    members: Vec<Member>,
    /// The members of each room, by their place in `members`.
    rooms: Vec<Vec<usize>>,
}

struct Member {
    stream: TcpStream,
    /// `None` until the four bytes that tell it have come.
    room: Option<usize>,
    rest: Vec<u8>,
}

impl Bare {
    fn run(mut self) -> Result<()> {
        self.listener.set_nonblocking(true).context("set the listener up")?;
        self.register(self.listener.as_raw_fd(), LISTENER)?;
        let (mut events, mut scratch) = (Events::with_capacity(1_024), vec![0; READ_BYTES]);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled.context("wait for sockets")?,
            }
            for event in &events {
                match event.token() {
                    STOP => return Ok(()),
                    LISTENER => self.accept()?,
                    Token(member) => self.read(member, &mut scratch)?,
                }
            }
        }
    }

    fn register(&self, file: i32, token: Token) -> Result<()> {
        self.poll.registry().register(&mut SourceFd(&file), token, Interest::READABLE).context("use epoll")
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).context("set a socket up")?;
                    self.register(stream.as_raw_fd(), Token(self.members.len()))?;
                    self.members.push(Member { stream, room: None, rest: Vec::new() });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("accept a connection"),
            }
        }
    }

    fn read(&mut self, member: usize, scratch: &mut [u8]) -> Result<()> {
        loop {
            match self.members[member].stream.read(scratch) {
                // Somebody left: nobody does before the load is over.
                Ok(0) => return Ok(()),
                Ok(length) => {
                    self.members[member].rest.extend(&scratch[..length]);
                    self.send_on(member)?;
                    if length < scratch.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(error).context("read from a bare socket"),
            }
        }
    }

    fn send_on(&mut self, member: usize) -> Result<()> {
        let mut bytes = std::mem::take(&mut self.members[member].rest);
        let mut used = 0;
        if self.members[member].room.is_none() {
            let Some(number) = bytes.first_chunk() else {
                self.members[member].rest = bytes;
                return Ok(());
            };
            self.enter(member, u32::from_le_bytes(*number) as usize)?;
            used = 4;
        }
        let room = self.members[member].room.expect("it was entered above, or before");
        while let Some((_, _, length)) = frames::first(&bytes[used..])? {
            for receiver in &self.rooms[room] {
                write_whole(&self.members[*receiver].stream, &bytes[used..used + length])?;
            }
            used += length;
        }
        bytes.drain(..used);
        self.members[member].rest = bytes;
        Ok(())
    }

    /// Lets a member in and tells it where the room stands, as Taproom does.
    fn enter(&mut self, member: usize, room: usize) -> Result<()> {
        if self.rooms.len() <= room {
            self.rooms.resize_with(room + 1, Vec::new);
        }
        self.rooms[room].push(member);
        self.members[member].room = Some(room);
        write_whole(&self.members[member].stream, &frames::from_server(r#"{"Type":"Status","Head":0}"#))
    }
}
