//! The chat log.

use super::{app::Places, keys, log_row::LogRow, scroll};
use crate::client::{RoomClient, rows::RowKey};
use leptos::prelude::*;

#[component]
pub(super) fn ChatLog() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let places = expect_context::<Places>();
    let log = places.log;
    Effect::new(move |_| scroll::keep(client, places));
    let on_scroll = move |_| {
        if let Some(log) = log.get_untracked() {
            scroll::scrolled(client, &log);
        }
    };
    let on_keydown = move |event: web_sys::KeyboardEvent| {
        let plain = !event.alt_key() && !event.ctrl_key() && !event.meta_key();
        let done = match event.key().as_str() {
            key @ ("ArrowUp" | "ArrowDown") if plain => log.get_untracked().is_some_and(|log| keys::walk(&log, key)),
            "Enter" if plain => offer_actions(client, places),
            _ => false,
        };
        if done {
            event.prevent_default();
        }
    };
    view! {
        <div
            class="log"
            role="log"
            tabindex="0"
            aria-label=move || ["Messages in #", client.room.read().as_str()].concat()
            aria-busy=move || client.loading.get().to_string()
            node_ref=log
            on:scroll=on_scroll
            on:keydown=on_keydown
        >
            <ol>
                <For each=move || client.rows.get() key=|live| live.key let(live)>
                    <LogRow live=live/>
                </For>
            </ol>
        </div>
    }
}

/// Opens the actions of the message that has the focus; false when none has.
fn offer_actions(client: RoomClient, places: Places) -> bool {
    let message = super::dom::focused().filter(|element| element.class_list().contains("msg"));
    let Some(id) = message.and_then(|message| message.get_attribute("data-id")) else { return false };
    let is_it = |key: RowKey| matches!(key, RowKey::Message(_, message) if message.as_str() == id);
    let live = client.rows.with_untracked(|rows| rows.iter().rev().find(|live| is_it(live.key)).cloned());
    places.menu.set(live);
    super::dom::open(places.menu_dialog.get_untracked());
    true
}
