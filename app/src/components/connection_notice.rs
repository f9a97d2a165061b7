//! What is said about a lost connection, or a server that takes no messages: nothing for two seconds, then what happens
//! next.

use crate::client::{RoomClient, clock, session::Link};
use leptos::prelude::*;
use std::time::Duration;

/// How long there may be trouble before anything is said, in milliseconds.
const QUIET_MS: u64 = 2_000;

/// How often the words are brought up to date.
const TICK: Duration = Duration::from_millis(250);

#[component]
pub(super) fn ConnectionNotice() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let words = RwSignal::new(None::<String>);
    let trouble = Memo::new(move |_| client.link.get() != Link::Connected || !client.hindrance.read().is_empty());
    Effect::new(move |_| {
        if !trouble.get() {
            words.set(None);
            return;
        }
        let since = clock::now();
        let tick = move || {
            if clock::now() >= since + QUIET_MS {
                words.set(Some(notice(client)));
            }
        };
        if let Ok(handle) = set_interval_with_handle(tick, TICK) {
            on_cleanup(move || handle.clear());
        }
    });
    let is_shown = Memo::new(move |_| words.read().is_some());
    view! {
        <div class="notice" role="status" class:shown=is_shown>
            <span>{move || words.get().unwrap_or_default()}</span>
            {move || is_shown.get().then(|| view! {
                <button class="retry" type="button" on:click=move |_| client.retry_now()>"Retry now"</button>
            })}
        </div>
    }
}

fn notice(client: RoomClient) -> String {
    let mut words = match client.link.get_untracked() {
        Link::Away(why) => ["Disconnected. ", why].concat(),
        Link::Waiting(at) => match at.saturating_sub(clock::now()).div_ceil(1_000) {
            0 => "Reconnecting…".to_owned(),
            seconds => ["Reconnecting… trying again in ", &seconds.to_string(), " s"].concat(),
        },
        Link::Connecting(_) => "Reconnecting…".to_owned(),
        Link::Connected => ["Not sent yet. ", &client.hindrance.get_untracked()].concat(),
    };
    match client.waiting.get_untracked() {
        0 => {}
        1 => words.push_str(" · 1 message waiting"),
        waiting => words.extend([" · ", &waiting.to_string(), " messages waiting"]),
    }
    if client.unkept.get_untracked() {
        words.push_str(". This browser stores nothing more for this site: keep this page open until all is sent.");
    }
    words
}
