//! One message.

use super::dom;
use crate::{
    client::{
        RoomClient, address,
        prose::{Piece, pieces},
        rows::{MessageRow, MessageState, Row, hue},
    },
    protocol::{Kind, NickName},
};
use leptos::{either::Either, prelude::*};
use web_sys::MouseEvent;

#[component]
pub(super) fn MessageItem(row: ArcRwSignal<Row>, first: MessageRow) -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let (avatar_row, nick_row, mark_row) = (row.clone(), row.clone(), row.clone());
    let (class_row, state_row, time_row) = (row.clone(), row.clone(), row.clone());
    view! {
        <li
            class=move || class(&class_row.read())
            data-id=first.id.to_string()
            data-state=move || state(&state_row.read())
            aria-current=move || is_marked(&mark_row.read()).then_some("true")
            // A browser without WebAssembly scrolls to what has the focus, too.
            tabindex=first.marked.then_some("-1")
            autofocus=first.marked
        >
            {move || message(&avatar_row.read()).map(|message| avatar(&message.author))}
            <div class="by">
                {move || message(&nick_row.read()).map(|message| nick(&message.author))}
                " "
                {move || message(&time_row.read()).map(|message| time(client, message))}
            </div>
            " "
            <div class="body" dir="auto">{body(first.text.as_str())}</div>
            {move || refusal(client, &row.read())}
        </li>
    }
}

fn message(row: &Row) -> Option<&MessageRow> {
    match row {
        Row::Message(message) => Some(message),
        _ => None,
    }
}

/// What waits to be sent will be said under the name that its author has by then.
fn nick(author: &NickName) -> impl IntoView + use<> {
    let class = ["nick nick-", &hue(author).to_string()].concat();
    view! { <bdi class=class>{author.to_string()}</bdi> }
}

fn avatar(author: &NickName) -> impl IntoView + use<> {
    let class = ["avatar nick-", &hue(author).to_string()].concat();
    let initial: String = author.as_str().chars().next().into_iter().flat_map(char::to_uppercase).collect();
    view! { <span class=class aria-hidden="true">{initial}</span> }
}

/// When it was said, which leads to the message. The log is one stop for the Tab key, and its messages' links are none.
fn time(client: RoomClient, message: &MessageRow) -> impl IntoView + use<> {
    let sent = message.sent;
    let time = view! { <time datetime=sent.to_string()>{client.calendar().time(sent)}</time> };
    match message.seq {
        Some(seq) => {
            let href = client.room.with_untracked(|room| address::message_path(room, seq));
            Either::Left(view! { <a class="at" href=href tabindex="-1">{time}</a> })
        }
        None => Either::Right(view! { <span class="at">{time}</span> }),
    }
}

fn is_marked(row: &Row) -> bool {
    message(row).is_some_and(|message| message.marked)
}

fn class(row: &Row) -> String {
    let mut class = String::from("msg");
    if let Some(message) = message(row) {
        let marks = [
            (message.continues, " cont"),
            (message.own, " own"),
            (message.kind == Kind::Action, " action"),
            (message.marked, " marked"),
        ];
        class.extend(marks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| mark));
    }
    class
}

fn state(row: &Row) -> &'static str {
    match message(row).map(|message| &message.state) {
        Some(MessageState::Sending) => "sending",
        Some(MessageState::Refused(_)) => "refused",
        Some(MessageState::Sent) | None => "sent",
    }
}

fn body(text: &str) -> impl IntoView + use<> {
    let piece = |piece| match piece {
        Piece::Words(words) => Either::Left(words),
        Piece::Link(href) => {
            let words = href.clone();
            Either::Right(view! { <a href=href target="_blank" rel="nofollow noopener ugc">{words}</a> })
        }
    };
    pieces(text).into_iter().map(piece).collect_view()
}

/// Why a message was not sent, and what can be done.
fn refusal(client: RoomClient, row: &Row) -> Option<impl IntoView + use<>> {
    let message = message(row)?;
    let MessageState::Refused(why) = &message.state else { return None };
    let (id, text) = (message.id, message.text.clone());
    // The button goes, and the focus of who pressed it by a key would fall to the page.
    let leave = |event: &MouseEvent| {
        if event.detail() == 0 {
            dom::focus(dom::COMPOSER);
        }
    };
    Some(view! {
        <div class="refusal">
            <span>{["Not sent: ", why].concat()}</span>
            " "
            <button type="button" on:click=move |event| { leave(&event); client.retry(id) }>"Retry"</button>
            <button type="button" on:click=move |_| copy(client, text.as_str())>"Copy"</button>
            <button type="button" on:click=move |event| { leave(&event); client.discard(id) }>"Delete"</button>
        </div>
    })
}

/// Copies a message's text.
pub(super) fn copy(client: RoomClient, text: &str) {
    dom::copy(client, text, "Text copied.");
}
