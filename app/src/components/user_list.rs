//! Who is here now.

use crate::client::{RoomClient, rows::hue};
use leptos::prelude::*;

#[component]
pub(super) fn UserList() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let count = Memo::new(move |_| {
        let users = client.users.read();
        users.count.unwrap_or(users.users.len())
    });
    let more = Memo::new(move |_| count.get().saturating_sub(client.users.read().users.len()));
    view! {
        <aside class="people" aria-label="People" tabindex="-1">
            <h2>{move || ["Online: ", &count.get().to_string()].concat()}</h2>
            <ul>
                <For each=move || client.users.get().users key=|user| user.name.clone() let(user)>
                    <Person name=user.name/>
                </For>
            </ul>
            {move || (more.get() > 0).then(|| view! { <p class="more">{["and ", &more.get().to_string(), " more"].concat()}</p> })}
        </aside>
    }
}

#[component]
fn Person(name: crate::protocol::NickName) -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let (class, shown) = (["nick nick-", &hue(&name).to_string()].concat(), name.to_string());
    let is_me = move || client.name.read().known.as_ref() == Some(&name);
    view! {
        <li>
            <span class="dot" aria-hidden="true"></span>
            <bdi class=class>{shown}</bdi>
            {move || is_me().then_some(" (you)")}
        </li>
    }
}
