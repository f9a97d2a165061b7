//! The headline: which room this is, and how the connection is.

use super::{
    app::{Drawer, Places},
    dom,
};
use crate::client::{RoomClient, session::Link};
use leptos::prelude::*;

#[component]
pub(super) fn Headline() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let places = expect_context::<Places>();
    let state = move || match client.link.get() {
        Link::Connecting(_) => "connecting…",
        Link::Connected => "connected",
        Link::Waiting(_) | Link::Away(_) => "disconnected",
    };
    let opener = move |drawer| move |_| places.drawer.update(|open| *open = (*open != Some(drawer)).then_some(drawer));
    let is_open = move |drawer| move || (places.drawer.get() == Some(drawer)).to_string();
    view! {
        <header class="head">
            <button class="open-rooms icon" type="button" aria-label="Rooms" aria-expanded=is_open(Drawer::Rooms) on:click=opener(Drawer::Rooms)>
                <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 7h16M4 12h16M4 17h16"/></svg>
            </button>
            <h1><span aria-hidden="true">"#"</span>" "<bdi>{move || client.room.get().to_string()}</bdi></h1>
            <button
                class="headline"
                type="button"
                data-link=state
                title="Connection report"
                on:click=move |_| dom::open(places.report_dialog.get_untracked())
            >
                {state}
            </button>
            <button class="open-people icon" type="button" aria-label="People" aria-expanded=is_open(Drawer::People) on:click=opener(Drawer::People)>
                <svg viewBox="0 0 24 24" aria-hidden="true">
                    <path d="M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c.4-3.6 3-5.5 6.500-5.500s6.100 1.900 6.500 5.500M16 4.300a3.500 3.500 0 0 1 0 6.500M18 14.900c2 .7 3.200 2.400 3.500 5.100"/>
                </svg>
            </button>
        </header>
    }
}
