//! What this page hears of the other pages of its browser, and when it looks after what they left.

use super::{
    RoomClient, clock,
    outbox::keeper::{self, KNOCK, PREFIX},
};
use futures::{FutureExt, StreamExt, channel::mpsc, select_biased};
use gloo_timers::future::TimeoutFuture;
use leptos::{ev, prelude::window_event_listener};
use std::cell::RefCell;
use web_sys::StorageEvent;

/// How often to look for pages that are gone without a word, in milliseconds.
const EVERY_MS: u32 = 60_000;

/// How long a page has to answer a knock, in milliseconds. It takes some more, so that pages do not all come at once.
const ANSWER_WITHIN_MS: u32 = 2_000;
const SOME_MORE_MS: f64 = 1_000.0;

/// How long a page that was closed is left to the page that is loaded in its place, in milliseconds.
const SUCCESSION_MS: u32 = 3_000;

/// Takes in what other pages leave, for as long as this one lives.
pub(super) async fn look_after(client: RoomClient) {
    // One ring is as good as many.
    let (bell, mut closed) = mpsc::channel(1);
    listen(client, bell);
    loop {
        if client.knock() {
            sleep(ANSWER_WITHIN_MS + (clock::random() * SOME_MORE_MS) as u32).await;
            client.adopt_silent();
        }
        select_biased! {
            _ = closed.next() => sleep(SUCCESSION_MS).await,
            () = sleep(EVERY_MS).fuse() => client.renew(),
        }
    }
}

fn listen(client: RoomClient, bell: mpsc::Sender<()>) {
    let bell = RefCell::new(bell);
    let heard = move |event: StorageEvent| match (event.key(), event.new_value()) {
        (Some(key), Some(_)) if key == KNOCK => client.renew(),
        (Some(key), Some(record)) if key.starts_with(PREFIX) && keeper::is_left(&record) => {
            // A full queue rings just as well.
            let _ = bell.borrow_mut().try_send(());
        }
        _ => {}
    };
    // The handle is not needed: the page listens for as long as it lives.
    drop(window_event_listener(ev::storage, heard));
}

fn sleep(millis: u32) -> TimeoutFuture {
    TimeoutFuture::new(millis)
}
