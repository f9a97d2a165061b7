//! One row of the log, whatever it is.

use super::{gap_row::GapRow, message_item::MessageItem};
use crate::client::{
    LiveRow,
    calendar::day_name,
    rows::{Row, TopRow},
};
use leptos::{either::EitherOf4, prelude::*};

#[component]
pub(super) fn LogRow(live: LiveRow) -> impl IntoView {
    let row = live.row;
    // What kind of row it is never changes: its key says it.
    match row.get_untracked() {
        Row::Message(message) => EitherOf4::A(view! { <MessageItem row=row first=message/> }),
        Row::Day(day) => EitherOf4::B(view! { <li class="day"><h2>{day_name(day)}</h2></li> }),
        Row::Hole { number, .. } => EitherOf4::C(view! { <GapRow number=number row=row/> }),
        Row::Top(_) | Row::New | Row::Restart | Row::Note(_) => {
            let class = class(&row.read_untracked());
            EitherOf4::D(view! { <li class=class dir="auto">{move || words(&row.read())}</li> })
        }
    }
}

fn class(row: &Row) -> &'static str {
    match row {
        Row::New => "new",
        Row::Restart => "event restart",
        Row::Note(_) => "event note",
        _ => "event top",
    }
}

fn words(row: &Row) -> String {
    let words = match row {
        Row::Top(TopRow::Empty) => "Nothing said here yet. The first word is yours.",
        Row::Top(TopRow::Beginning) => "This is where the room begins.",
        Row::Top(TopRow::Forgotten) => "Older messages are no longer kept.",
        Row::New => "New messages",
        Row::Restart => "The server went back to a backup. What it has now follows.",
        Row::Note(text) => text,
        _ => "",
    };
    words.to_owned()
}
