//! The rooms that the reader was in, and a field to go to another one.

use super::{app::Places, dom, theme_switch::ThemeSwitch};
use crate::{
    client::{RoomClient, address, command, first_page::Theme},
    protocol::RoomName,
};
use leptos::{ev, html, prelude::*};

#[component]
pub(super) fn RoomList(theme: Theme) -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let places = expect_context::<Places>();
    let links = move || {
        let here = client.room.read();
        client.rooms.get().into_iter().map(|room| link(client, places, room == *here, room)).collect_view()
    };
    view! {
        <nav class="rooms" aria-label="Rooms">
            <p class="brand">
                <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 4h16v12H9l-5 4Z"/><path d="M8 8.500h8M8 11.500h5"/></svg>
                "Taproom"
            </p>
            <h2>"Rooms"</h2>
            <ul>{links}</ul>
            <JoinForm/>
            <ThemeSwitch theme=theme/>
        </nav>
    }
}

fn link(client: RoomClient, places: Places, is_here: bool, room: RoomName) -> impl IntoView {
    let (href, name) = (address::room_path(&room), room.to_string());
    let on_click = move |event: ev::MouseEvent| {
        if dom::is_plain_click(&event) {
            event.prevent_default();
            client.visit(room.clone());
            places.drawer.set(None);
        }
    };
    view! {
        <li>
            <a href=href aria-current=is_here.then_some("page") on:click=on_click>
                <span aria-hidden="true">"#"</span>
                <bdi>{name}</bdi>
            </a>
        </li>
    }
}

#[component]
fn JoinForm() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let places = expect_context::<Places>();
    let input = NodeRef::<html::Input>::new();
    let error = RwSignal::new(String::new());
    let on_submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let Some(input) = input.get_untracked() else { return };
        match command::room_name(&input.value()) {
            Ok(room) => {
                input.set_value("");
                error.set(String::new());
                client.visit(room);
                places.drawer.set(None);
                dom::focus(dom::COMPOSER);
            }
            Err(why) => error.set(why),
        }
    };
    view! {
        <form class="join" action="/" method="get" autocomplete="off" on:submit=on_submit>
            <label class="vh" for="join-input">"Join a room"</label>
            <input
                id="join-input"
                name="room"
                type="text"
                dir="auto"
                maxlength="128"
                placeholder="Join a room"
                autocapitalize="off"
                spellcheck="false"
                aria-describedby="join-error"
                aria-invalid=move || (!error.read().is_empty()).to_string()
                node_ref=input
            />
            <button type="submit" class="icon" aria-label="Join">
                <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M5 12h14M13 6l6 6-6 6"/></svg>
            </button>
            <span id="join-error" class="error" aria-live="polite">{move || error.get()}</span>
        </form>
    }
}
