//! The chat log.

use super::{
    app::Places,
    dom,
    in_steps::{InSteps, steps},
    keys,
    log_row::LogRow,
    scroll,
};
use crate::client::{LiveKey, LiveRow, RoomClient, address::Spot, rows::RowKey};
use leptos::{
    prelude::*,
    tachys::{reactive_graph::OwnedView, view::keyed::keyed},
};

#[component]
pub(super) fn ChatLog() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let places = expect_context::<Places>();
    let log = places.log;
    Effect::new(move |_| scroll::keep(client, places));
    let on_scroll = move |_| {
        if let Some(log) = log.get_untracked() {
            scroll::scrolled(client, places, &log);
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
    let on_click = move |event: web_sys::MouseEvent| {
        let link = dom::clicked_link(&event).filter(|_| dom::is_plain_click(&event));
        if let Some(spot) = link.and_then(|href| Spot::of_link(&href, &dom::origin())) {
            event.prevent_default();
            client.go(spot);
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
            on:click=on_click
        >
            <ol>{rows(client)}</ol>
        </div>
    }
}

/// The rows, of which each one is built once and stays where it is.
fn rows(client: RoomClient) -> impl IntoView {
    let owner = Owner::current().expect("components have an owner");
    let shown = StoredValue::new(Vec::<LiveKey>::new());
    let build = move |_, live: LiveRow| {
        let owner = owner.with(Owner::new);
        let row = owner.with(|| view! { <LogRow live=live/> });
        // Nothing in a row depends on its index.
        (|_| {}, OwnedView::new_with_owner(row, owner))
    };
    move || {
        let wanted = client.rows.get();
        let lists = shown.with_value(|shown| steps(shown, &wanted, |live| live.key));
        shown.set_value(wanted.iter().map(|live| live.key).collect());
        InSteps::new(lists.into_iter().map(|list| keyed(list, |live: &LiveRow| live.key, build.clone())).collect())
    }
}

/// Opens the actions of the message that has the focus; false when none has.
fn offer_actions(client: RoomClient, places: Places) -> bool {
    let message = dom::focused().filter(|element| element.class_list().contains("msg"));
    let Some(id) = message.and_then(|message| message.get_attribute("data-id")) else { return false };
    let is_it = |key: LiveKey| matches!(key.1, RowKey::Message(_, message) if message.as_str() == id);
    let live = client.rows.with_untracked(|rows| rows.iter().rev().find(|live| is_it(live.key)).cloned());
    places.menu.set(live);
    // The actions are in the dialog when the next frame begins; the first of them gets the focus.
    request_animation_frame(move || dom::open(places.menu_dialog.get_untracked()));
    true
}
