//! One row of the log, whatever it is.

use super::message_item::MessageItem;
use crate::client::{
    LiveRow, RoomClient,
    calendar::day_name,
    rows::{Row, TopRow},
    timeline::HoleState,
};
use leptos::{either::Either, prelude::*};

#[component]
pub(super) fn LogRow(live: LiveRow) -> impl IntoView {
    // What kind of row it is never changes: its key says it.
    match live.row.get_untracked() {
        Row::Message(message) => Either::Left(view! { <MessageItem row=live.row first=message/> }),
        other => Either::Right(landmark(live.row, other)),
    }
}

/// A row that is no message.
fn landmark(row: ArcRwSignal<Row>, first: Row) -> AnyView {
    match first {
        Row::Day(day) => view! { <li class="day"><h2>{day_name(day)}</h2></li> }.into_any(),
        Row::New => view! { <li class="new"><span>"New messages"</span></li> }.into_any(),
        Row::Restart => view! { <li class="event restart">"The room was restarted. What was said before is no longer kept by the server."</li> }.into_any(),
        Row::Note(text) => view! { <li class="event note" dir="auto">{text.to_string()}</li> }.into_any(),
        Row::Hole { .. } => view! { <li class="gap">{move || hole(&row.read())}</li> }.into_any(),
        Row::Top(_) => view! { <li class="event top">{move || top(&row.read())}</li> }.into_any(),
        Row::Message(_) => ().into_any(),
    }
}

fn top(row: &Row) -> Option<&'static str> {
    match row {
        Row::Top(TopRow::Empty) => Some("Nothing said here yet. The first word is yours."),
        Row::Top(TopRow::Beginning) => Some("This is where the room begins."),
        Row::Top(TopRow::Forgotten) => Some("Older messages are no longer kept."),
        _ => None,
    }
}

fn hole(row: &Row) -> Option<AnyView> {
    let client = expect_context::<RoomClient>();
    let Row::Hole { place, count, state } = *row else { return None };
    let messages = match count {
        1 => "1 message is".to_owned(),
        count => [&count.to_string(), " messages are"].concat(),
    };
    Some(match state {
        HoleState::Open => {
            let words = [&messages, " not shown here."].concat();
            view! {
                <span>{words}</span>
                <button type="button" on:click=move |_| client.want_hole(place)>"Show more"</button>
            }
            .into_any()
        }
        HoleState::Wanted => [&messages, " being loaded…"].concat().into_any(),
        HoleState::Lost => [&messages, " no longer kept."].concat().into_any(),
    })
}
