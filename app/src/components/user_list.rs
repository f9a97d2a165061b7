//! Who is here now.

use crate::{
    client::{RoomClient, rows::hue},
    protocol::{NickName, User},
};
use leptos::prelude::*;

#[component]
pub(super) fn UserList() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let count = move || {
        let users = client.users.read();
        users.count.unwrap_or(users.users.len())
    };
    let people = move || {
        let name = client.name.read();
        let person = |user: &User| person(&user.name, name.known.as_ref() == Some(&user.name));
        client.users.read().users.iter().map(person).collect_view()
    };
    let more = move || match count().saturating_sub(client.users.read().users.len()) {
        0 => String::new(),
        more => ["and ", &more.to_string(), " more"].concat(),
    };
    view! {
        <aside class="people" aria-label="People" tabindex="-1">
            <h2>{move || ["Online: ", &count().to_string()].concat()}</h2>
            <ul>{people}</ul>
            <p class="more">{more}</p>
        </aside>
    }
}

fn person(name: &NickName, is_me: bool) -> impl IntoView + use<> {
    let class = ["nick nick-", &hue(name).to_string()].concat();
    view! {
        <li>
            <span class="dot" aria-hidden="true"></span>
            <bdi class=class>{name.to_string()}</bdi>
            {is_me.then_some(" (you)")}
        </li>
    }
}
