//! What is said when the server has become another one than the one that made this page.

use crate::client::RoomClient;
use leptos::prelude::*;

#[component]
pub(super) fn VersionNotice() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let reload = |_| {
        // The page is as good as before if the browser refuses.
        let _ = window().location().reload();
    };
    view! {
        <div class="version" role="status" class:shown=client.outdated>
            {move || client.outdated.get().then(|| view! {
                <span>"New version: reload when it suits you."</span>
                <button class="reload" type="button" on:click=reload>"Reload"</button>
            })}
        </div>
    }
}
