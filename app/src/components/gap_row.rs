//! Messages that are not shown: how many, and the two ways past them.

use super::{app::Places, scroll};
use crate::client::{RoomClient, rows::Row, timeline::HoleState};
use leptos::{html, prelude::*};

#[component]
pub(super) fn GapRow(number: u32, row: ArcRwSignal<Row>) -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let places = expect_context::<Places>();
    let item = NodeRef::<html::Li>::new();
    let gap = row.clone();
    // The buttons stay as they are while a page is on its way: whoever pressed one may press it again.
    let is_lost = Memo::new(move |_| matches!(*gap.read(), Row::Hole { state: HoleState::Lost, .. }));
    let load = move |_| {
        if let (Some(item), Some(log)) = (item.get_untracked(), places.log.get_untracked()) {
            client.want_hole(number, scroll::nearer_edge(&item, &log));
        }
    };
    view! {
        <li class="gap" data-gap=number.to_string() node_ref=item>
            <span>{move || words(&row.read())}</span>
            {move || (!is_lost.get()).then(|| view! {
                <button class="load" type="button" on:click=load>"Load messages"</button>
                <button class="jump" type="button" on:click=move |_| scroll::to_end(client, places)>"Jump to newest"</button>
            })}
        </li>
    }
}

fn words(row: &Row) -> String {
    let Row::Hole { count, state, .. } = *row else { return String::new() };
    let what = match (state, count) {
        (HoleState::Offered | HoleState::Open, 1) => " message is not shown.",
        (HoleState::Offered | HoleState::Open, _) => " messages are not shown.",
        (HoleState::Wanted(_), 1) => " message is not shown. Loading…",
        (HoleState::Wanted(_), _) => " messages are not shown. Loading…",
        (HoleState::Lost, 1) => " message is no longer kept.",
        (HoleState::Lost, _) => " messages are no longer kept.",
    };
    [&grouped(count), what].concat()
}

/// A number as English writes it: 12,345.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_says_how_many_messages_it_is() {
        let say = |count, state| words(&Row::Hole { number: 1, count, state });
        assert_eq!(say(1, HoleState::Offered), "1 message is not shown.");
        assert_eq!(say(1_950, HoleState::Open), "1,950 messages are not shown.");
        assert_eq!(say(1_234_567, HoleState::Lost), "1,234,567 messages are no longer kept.");
    }
}
