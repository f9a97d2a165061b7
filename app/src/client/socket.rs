//! The one file that touches the browser's WebSocket: opens it, carries frames, and opens the next one.

use super::{
    RoomClient, clock,
    reconnect::{Backoff, Verdict, verdict},
    wire,
};
use futures::{
    FutureExt, SinkExt, StreamExt,
    channel::mpsc::{self, Receiver, Sender},
    select_biased,
};
use gloo_net::websocket::{Message, WebSocketError, futures::WebSocket};
use gloo_timers::future::TimeoutFuture;

/// How many rings wait at most. One more says nothing new.
const RINGS: usize = 16;

/// How long a connection has to live until its end counts as the first failure, in milliseconds.
const LIVED_MS: u64 = 10_000;

/// How long messages are gathered when they come faster than the page is drawn, in milliseconds.
const GATHER_MS: u64 = 16;

/// How long to sleep when nothing is due, in milliseconds.
const LONG_MS: u64 = 60_000;

/// The close code of a socket that ended without saying why (RFC 6455, section 7.4.1).
const ABNORMAL: u16 = 1006;

/// Why the task that owns the socket is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ring {
    /// There may be something to say.
    Changed,
    /// If there is no socket, now is a good time to open one.
    Awake,
}

/// Wakes the task that owns the socket.
#[derive(Debug)]
pub(super) struct Bell(Sender<Ring>);

/// The other end of a [`Bell`].
pub(super) type Ropes = Receiver<Ring>;

impl Bell {
    pub(super) fn ring(&mut self, ring: Ring) {
        // A full queue wakes the task just as well.
        let _ = self.0.try_send(ring);
    }
}

pub(super) fn bell() -> (Bell, Ropes) {
    let (bell, ropes) = mpsc::channel(RINGS);
    (Bell(bell), ropes)
}

/// Keeps a socket open for as long as the page lives.
pub(super) async fn supervise(client: RoomClient, mut ropes: Ropes) {
    let mut backoff = Backoff::default();
    loop {
        let began = clock::now();
        client.change(|session| session.dialing(began));
        let code = match WebSocket::open(&address(client)) {
            Ok(socket) => converse(client, socket, &mut ropes).await,
            Err(_) => ABNORMAL,
        };
        client.change(|session| session.closed(clock::now()));
        if clock::now().saturating_sub(began) >= LIVED_MS {
            backoff.reset();
        }
        match verdict(code) {
            Verdict::StayAway(why) => {
                client.change(|session| session.stays_away(why));
                rest(u64::MAX, &mut ropes).await;
            }
            Verdict::ComeBack => {
                let pause = backoff.pause(clock::random());
                client.change(|session| session.returns_at(clock::now() + pause));
                rest(pause, &mut ropes).await;
            }
        }
    }
}

/// Carries frames until the socket closes or is given up; the close code.
async fn converse(client: RoomClient, socket: WebSocket, ropes: &mut Ropes) -> u16 {
    client.change(|session| session.opened(clock::now()));
    let (mut mouth, ear) = socket.split();
    let mut ear = ear.ready_chunks(256).fuse();
    let mut drawn = 0;
    loop {
        while let Some(frame) = client.next_frame() {
            if mouth.send(Message::Text(wire::write_frame(&frame))).await.is_err() {
                return ABNORMAL;
            }
        }
        // What has come is heard before the other end is called dead: this page may have slept.
        select_biased! {
            heard = ear.next() => {
                let mut heard = heard.unwrap_or_default();
                if clock::now() < drawn + GATHER_MS {
                    sleep(GATHER_MS).await;
                    heard.extend(ear.next().now_or_never().flatten().unwrap_or_default());
                }
                if let Some(code) = hear(client, heard) {
                    return code;
                }
                drawn = clock::now();
                continue;
            }
            _ = ropes.next() => {}
            () = Box::pin(sleep(client.next_due().unwrap_or(LONG_MS)).fuse()) => client.change(|_| {}),
        }
        if client.is_dead() {
            return ABNORMAL;
        }
    }
}

/// Takes what came; the close code, if the socket closed.
fn hear(client: RoomClient, heard: Vec<Result<Message, WebSocketError>>) -> Option<u16> {
    let mut code = heard.is_empty().then_some(ABNORMAL);
    client.change(|session| {
        for message in heard {
            match message {
                // A frame that cannot be read is of a later version; the rest is none the worse for it.
                Ok(Message::Text(json)) => {
                    if let Some(frame) = wire::read_frame(&json) {
                        session.receive(frame, clock::now());
                    }
                }
                Ok(Message::Bytes(_)) => {}
                Err(WebSocketError::ConnectionClose(close)) => code = Some(close.code),
                Err(_) => code = code.or(Some(ABNORMAL)),
            }
        }
    });
    code
}

/// Waits, unless the browser wakes up or the reader does not want to.
async fn rest(millis: u64, ropes: &mut Ropes) {
    let mut pause = Box::pin(sleep(millis).fuse());
    loop {
        select_biased! {
            ring = ropes.next() => {
                if ring == Some(Ring::Awake) {
                    return;
                }
            }
            () = pause => return,
        }
    }
}

async fn sleep(millis: u64) {
    // A browser's timers count in 32 bits with a sign.
    TimeoutFuture::new(u32::try_from(millis).unwrap_or(u32::MAX).min(i32::MAX as u32)).await;
}

fn address(client: RoomClient) -> String {
    let location = leptos::prelude::window().location();
    let scheme = if location.protocol().is_ok_and(|scheme| scheme == "https:") { "wss://" } else { "ws://" };
    [scheme, &location.host().unwrap_or_default(), "/ws?", &client.query()].concat()
}
