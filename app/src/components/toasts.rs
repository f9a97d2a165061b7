//! What is said for a moment at the edge of the page: what went right, and what went wrong.

use crate::client::RoomClient;
use leptos::prelude::*;
use std::time::Duration;

/// How long it stays.
const STAYS: Duration = Duration::from_secs(8);

#[component]
pub(super) fn Toasts() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    for words in [client.toast, client.alert] {
        Effect::new(move |_| {
            if words.read().is_empty() {
                return;
            }
            if let Ok(handle) = set_timeout_with_handle(move || words.set(String::new()), STAYS) {
                on_cleanup(move || handle.clear());
            }
        });
    }
    view! {
        <div id="toasts" role="status" class:shown=move || !client.toast.read().is_empty()>{move || client.toast.get()}</div>
        <div id="alerts" role="alert" class:shown=move || !client.alert.read().is_empty()>{move || client.alert.get()}</div>
    }
}
