//! How many messages came below what is being read, and the way to them.

use super::{app::Places, scroll};
use crate::client::RoomClient;
use leptos::prelude::*;

#[component]
pub(super) fn Pill() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let places = expect_context::<Places>();
    let words = move || match client.unseen.get() {
        0 => "Jump to newest".to_owned(),
        1 => "1 new message".to_owned(),
        unseen => [&unseen.to_string(), " new messages"].concat(),
    };
    let is_shown = Memo::new(move |_| client.unseen.get() > 0 || client.away.get());
    move || {
        is_shown.get().then(|| {
            view! { <button class="pill" type="button" on:click=move |_| scroll::to_end(client, places)>{words}</button> }
        })
    }
}
