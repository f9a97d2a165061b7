//! A simulated network: browsers whose connections are cut at random, with frames in flight, and whose server dies and
//! comes back, read on from their cursors and send again what was not acknowledged. Nothing is lost, doubled or
//! reordered, whatever the seed.
//!
//! The browsers are the real [`Session`], the server is the real server; only the network and its time are simulated.
//! `TAPROOM_SEEDS=10000 cargo test -p server --test network` tries more seeds.

use app::{
    client::{
        reconnect::Backoff,
        session::{Link, Session},
    },
    pages::{RoomPage, Theme},
    protocol::{ClientFrame, Kind, MessageId, NickName, Page, RoomName, ServerFrame, Text, UserList},
};
use axum::serve::Listener;
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng};
use server::{Server, config::Serve};
use std::{collections::HashSet, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

const BROWSERS: usize = 4;
const POSTS: usize = 12;
/// Posts and cuts happen in this time; then the network is left alone and everybody catches up.
const STORM: Duration = Duration::from_secs(20);
/// Half-open connections are found after 10 s, back-off is at most 30 s.
const PATIENCE: Duration = Duration::from_secs(150);
/// How often the server dies in the storm, in the middle of whatever it does, and comes back with what its disk has.
const DEATHS: usize = 2;
const DIAL: Duration = Duration::from_secs(2);

/// Whether browsers say where they were.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cursor {
    Told,
    Ignored,
}

impl Cursor {
    /// The control will never have everything, so nobody waits for it for long.
    fn patience(self) -> Duration {
        match self {
            Cursor::Told => PATIENCE,
            Cursor::Ignored => 2 * STORM,
        }
    }
}

/// What one browser has on its screen at the end, in order, and what it said, in order.
#[derive(Debug, Default, Clone)]
struct Screen {
    shown: Vec<(u64, MessageId)>,
    said: Vec<MessageId>,
}

#[test]
fn whatever_is_cut_nothing_is_lost_doubled_or_reordered() {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    std::thread::scope(|scope| {
        for first in 0..threads {
            scope.spawn(move || {
                for seed in (first..seeds()).step_by(threads as usize) {
                    if let Err(fault) = check(&simulate(seed, Cursor::Told)) {
                        panic!("seed {seed}: {fault}");
                    }
                }
            });
        }
    });
}

#[test]
fn the_control_without_cursor_loses_messages() {
    let faults = (0..10).filter(|seed| check(&simulate(*seed, Cursor::Ignored)).is_err()).count();
    assert!(faults >= 8, "only {faults} of 10 runs without cursor lost something: the simulation is too kind");
}

fn seeds() -> u64 {
    std::env::var("TAPROOM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1_000)
}

/// Every screen has every message once, all in the same order, each author's in the order of saying.
fn check(screens: &[Screen]) -> Result<(), String> {
    let said: HashSet<MessageId> = screens.iter().flat_map(|screen| screen.said.iter().copied()).collect();
    if said.len() != BROWSERS * POSTS {
        return Err(format!("{} messages were said", said.len()));
    }
    for (browser, screen) in screens.iter().enumerate() {
        let seqs: Vec<u64> = screen.shown.iter().map(|(seq, _)| *seq).collect();
        let dense: Vec<u64> = (1..=said.len() as u64).collect();
        if seqs != dense {
            return Err(format!("browser {browser} shows the positions {seqs:?}"));
        }
        if screen.shown != screens[0].shown {
            return Err(format!("browser {browser} shows another order than browser 0"));
        }
    }
    let order: Vec<MessageId> = screens[0].shown.iter().map(|(_, id)| *id).collect();
    if order.iter().copied().collect::<HashSet<_>>() != said {
        return Err("what is shown is not what was said".to_owned());
    }
    for (author, screen) in screens.iter().enumerate() {
        let own: Vec<MessageId> = order.iter().copied().filter(|id| screen.said.contains(id)).collect();
        if own != screen.said {
            return Err(format!("what browser {author} said is out of order"));
        }
    }
    Ok(())
}

fn simulate(seed: u64, cursor: Cursor) -> Vec<Screen> {
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .simulation_duration(PATIENCE + Duration::from_secs(60))
        .tick_duration(Duration::from_millis(5))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(80))
        .tcp_capacity(4_096)
        .enable_random_order()
        .build();
    let data = folder();
    let config = Serve { data: data.path().into(), ..Serve::default() };
    sim.host("server", move || {
        let config = config.clone();
        async move {
            let listener = Simulated(turmoil::net::TcpListener::bind("0.0.0.0:3000").await?);
            Server::open(&config)?.serve(listener).await;
            Ok(())
        }
    });
    let screens = Arc::new(Mutex::new(vec![Screen::default(); BROWSERS]));
    for number in 0..BROWSERS {
        let screens = screens.clone();
        sim.client(format!("browser{number}"), async move {
            let random = StdRng::seed_from_u64(seed << 8 | number as u64);
            let screen = Browser::open(number, random, cursor).await.talk().await;
            screens.lock()[number] = screen;
            Ok(())
        });
    }
    sim.client("weather", weather(StdRng::seed_from_u64(seed << 8 | 0xff)));
    let mut fate = StdRng::seed_from_u64(seed << 8 | 0xfe);
    let mut deaths: Vec<Duration> = (0..DEATHS).map(|_| STORM.mul_f64(fate.random())).collect();
    deaths.sort_unstable_by(|one, other| other.cmp(one));
    let mut returns = None;
    while !sim.step().expect("every browser ends by itself") {
        if returns.is_some_and(|at| sim.elapsed() >= at) {
            returns = None;
            sim.bounce("server");
        } else if returns.is_none() && deaths.last().is_some_and(|at| sim.elapsed() >= *at) {
            deaths.pop();
            sim.crash("server");
            returns = Some(sim.elapsed() + Duration::from_millis(fate.random_range(5..2_000)));
        }
    }
    Arc::into_inner(screens).expect("every browser has ended").into_inner()
}

/// Where a server of the simulation keeps its log: in memory where the system has that. What a disk does to a log is
/// tested elsewhere.
fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder can be made")
}

/// Now and then a link drops everything for a while, so that connections hang half open.
async fn weather(mut random: StdRng) -> turmoil::Result {
    let clear = Instant::now() + STORM;
    while Instant::now() < clear {
        tokio::time::sleep(Duration::from_millis(random.random_range(500..4_000))).await;
        let victim = format!("browser{}", random.random_range(0..BROWSERS));
        turmoil::partition(victim.as_str(), "server");
        tokio::time::sleep(Duration::from_millis(random.random_range(50..3_000))).await;
        turmoil::repair(victim.as_str(), "server");
    }
    Ok(())
}

/// The simulated network's listener, as the server takes it.
struct Simulated(turmoil::net::TcpListener);

impl Listener for Simulated {
    type Io = turmoil::net::TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        self.0.accept().await.expect("the simulated network accepts")
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// One browser: a session, and hands that carry its frames.
struct Browser {
    session: Session,
    random: StdRng,
    cursor: Cursor,
    cookie: String,
    began: Instant,
    said: Vec<MessageId>,
    next_post: Instant,
}

type Socket = WebSocketStream<turmoil::net::TcpStream>;

impl Browser {
    async fn open(number: usize, mut random: StdRng, cursor: Cursor) -> Browser {
        let began = Instant::now();
        let room = RoomName::default();
        let page = loop {
            if let Ok(Some(page)) = timeout(DIAL, fetch("/api/v1/rooms/default/events".to_owned())).await {
                break page;
            }
        };
        let page = RoomPage {
            users: UserList { room, users: Vec::new(), count: None },
            page,
            focus: None,
            me: Some(NickName::parse(&format!("browser {number}")).expect("a good name")),
            theme: Theme::default(),
            build: String::new(),
        };
        let next_post = began + pause(&mut random);
        let cookie = format!("taproom_visitor={number:032x}");
        Browser { session: Session::new(page), random, cursor, cookie, began, said: Vec::new(), next_post }
    }

    /// Talks until everything that was said is here, or patience ends.
    async fn talk(mut self) -> Screen {
        let mut backoff = Backoff::default();
        while !self.is_done() {
            self.session.dialing(self.now());
            if let Ok(Some(socket)) = timeout(DIAL, self.dial()).await {
                self.session.opened(self.now());
                self.converse(socket).await;
                if self.session.link() == Link::Connected {
                    backoff.reset();
                }
            }
            self.session.closed(self.now());
            let pause = backoff.pause(self.random.random());
            tokio::time::sleep(Duration::from_millis(pause)).await;
            self.post_what_is_due();
        }
        Screen { shown: self.shown(), said: self.said }
    }

    /// One connection, until it dies or is cut.
    async fn converse(&mut self, mut socket: Socket) {
        let cut = Instant::now() + self.until_cut();
        while !self.is_done() && !self.session.is_dead(self.now()) {
            self.post_what_is_due();
            if self.say_everything(&mut socket).await.is_none() {
                return;
            }
            let due = Duration::from_millis(self.session.next_due(self.now()).unwrap_or(1_000).max(1));
            tokio::select! {
                frame = socket.next() => match frame {
                    Some(Ok(Message::Text(text))) => self.hear(&text),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
                () = sleep_until(self.next_post), if self.said.len() < POSTS => {}
                () = tokio::time::sleep(due) => {}
                () = sleep_until(cut) => return,
            }
        }
    }

    async fn say_everything(&mut self, socket: &mut Socket) -> Option<()> {
        while let Some(frame) = self.session.next_frame(self.now()) {
            let json = serde_json::to_string(&self.forgetful(frame)).expect("frames are plain data");
            timeout(DIAL, socket.send(Message::from(json))).await.ok()?.ok()?;
        }
        while let Some(request) = self.session.next_request(self.now()) {
            let page = timeout(DIAL, fetch(request.path())).await.ok().flatten();
            self.session.loaded(&request, page.as_ref(), self.now());
        }
        Some(())
    }

    fn hear(&mut self, text: &str) {
        let frame: ServerFrame = serde_json::from_str(text).expect("the server writes frames");
        self.session.receive(frame, self.now());
    }

    async fn dial(&self) -> Option<Socket> {
        let query = match self.cursor {
            Cursor::Told => self.session.query(),
            Cursor::Ignored => "?room=default".to_owned(),
        };
        let query = query.trim_start_matches('?');
        let mut request = format!("ws://server:3000/ws?{query}").into_client_request().expect("a good address");
        let headers = request.headers_mut();
        headers.insert("origin", "http://server:3000".parse().expect("a value"));
        headers.insert("cookie", self.cookie.parse().expect("a value"));
        let stream = turmoil::net::TcpStream::connect("server:3000").await.ok()?;
        Some(client_async(request, stream).await.ok()?.0)
    }

    /// The control forgets where it was.
    fn forgetful(&self, frame: ClientFrame) -> ClientFrame {
        match frame {
            ClientFrame::Join { room, .. } if self.cursor == Cursor::Ignored => {
                ClientFrame::Join { room, after: None, epoch: None }
            }
            frame => frame,
        }
    }

    fn post_what_is_due(&mut self) {
        if self.said.len() == POSTS || Instant::now() < self.next_post {
            return;
        }
        let id = MessageId::new(self.said.len() as u64, self.random.random());
        let text = Text::parse(&format!("message {}", self.said.len())).expect("a good text");
        self.session.post(text, Kind::Speech, id, self.now()).expect("the outbox has room");
        self.said.push(id);
        self.next_post = Instant::now() + pause(&mut self.random);
    }

    fn until_cut(&mut self) -> Duration {
        let storm = self.began.elapsed() < STORM;
        if storm { Duration::from_millis(self.random.random_range(100..4_000)) } else { PATIENCE }
    }

    fn is_done(&self) -> bool {
        let everything = self.shown().len() == BROWSERS * POSTS && self.session.waiting() == 0;
        everything || self.began.elapsed() > self.cursor.patience()
    }

    fn shown(&self) -> Vec<(u64, MessageId)> {
        let timeline = self.session.room().timeline().expect("the page brought it");
        timeline.messages().map(|message| (message.place.seq.0, message.chat.id)).collect()
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

fn pause(random: &mut StdRng) -> Duration {
    Duration::from_millis(random.random_range(10..2_500))
}

async fn fetch(path: String) -> Option<Page> {
    let mut stream = turmoil::net::TcpStream::connect("server:3000").await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: server:3000\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}
