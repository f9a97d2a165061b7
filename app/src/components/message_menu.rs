//! What can be done with a message, as a dialog for those who use the keyboard.

use super::{app::Places, dom, message_item::copy};
use crate::client::{
    RoomClient,
    address::Spot,
    rows::{MessageRow, MessageState, Row},
};
use leptos::prelude::*;

#[component]
pub(super) fn MessageMenu() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let places = expect_context::<Places>();
    let message = move || match places.menu.get().map(|live| live.row.get()) {
        Some(Row::Message(message)) => Some(message),
        _ => None,
    };
    view! {
        <dialog id="message-menu" aria-labelledby="message-menu-title" node_ref=places.menu_dialog>
            <h2 id="message-menu-title">"Message"</h2>
            <form method="dialog" class="menu">
                {move || message().map(|message| actions(client, message))}
                <button>"Close"</button>
            </form>
        </dialog>
    }
}

fn actions(client: RoomClient, message: MessageRow) -> impl IntoView {
    let (id, text) = (message.id, message.text);
    let link = message.seq.map(|seq| Spot { room: client.room.get_untracked(), message: Some(seq) });
    let is_refused = matches!(message.state, MessageState::Refused(_));
    view! {
        <button on:click=move |_| copy(client, text.as_str())>"Copy text"</button>
        {link.map(|spot| {
            let path = spot.path();
            view! {
                <button on:click=move |_| copy_link(client, &path)>"Copy link"</button>
                <button on:click=move |_| client.go(spot.clone())>"Open link"</button>
            }
        })}
        {is_refused.then(|| view! {
            <button on:click=move |_| client.retry(id)>"Retry"</button>
            <button on:click=move |_| client.discard(id)>"Delete"</button>
        })}
    }
}

fn copy_link(client: RoomClient, path: &str) {
    dom::copy(client, &[&dom::origin(), path].concat(), "Link copied.");
}
