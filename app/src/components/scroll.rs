//! Where the log is scrolled to: at its end, or kept still while things come and go around what is being read.
//!
//! The log is laid out from its end (`column-reverse`): its scroll position is zero there and negative above, and
//! what is put in above never moves anything. Only what comes or goes below needs care, and only in browsers that do
//! not anchor the scroll position themselves.

use super::app::Places;
use crate::client::RoomClient;
use leptos::prelude::*;
use web_sys::{Element, HtmlElement};

/// How near to the end counts as at the end, in pixels.
const NEAR_END: i32 = 80;

/// How near to the first or last row more is shown, in pixels.
const NEAR_EDGE: i32 = 800;

/// Something that is being read, and how far below the top of the window it is.
#[derive(Clone)]
struct Anchor {
    row: Element,
    top: f64,
}

/// Keeps the log's position right as rows come and go.
pub(super) fn keep(client: RoomClient, places: Places) {
    let anchor = StoredValue::new_local(None::<Anchor>);
    // Whoever scrolled before the page came alive stays there.
    request_animation_frame(move || {
        if let Some(log) = places.log.get_untracked().filter(|log| log.scroll_top() != 0) {
            scrolled(client, places, &log);
        }
    });
    client.before_rows(Callback::new(move |()| {
        let log = places.log.get_untracked().filter(|_| !client.following.get_untracked());
        anchor.set_value(log.filter(|log| !is_anchored_by_browser(log)).and_then(|log| anchor_of(&log)));
    }));
    Effect::new(move |_| {
        client.rows.track();
        // The rows come into the page by an effect of their own, which runs before this task or before the next frame.
        leptos::task::spawn_local(async move { settle(client, places, anchor.get_value()) });
        request_animation_frame(move || {
            settle(client, places, anchor.try_update_value(Option::take).flatten());
            if let Some(log) = places.log.get_untracked() {
                reveal(client, &log);
            }
        });
    });
}

/// Puts the log back to its end, or to where it was.
fn settle(client: RoomClient, places: Places, anchor: Option<Anchor>) {
    let Some(log) = places.log.get_untracked() else { return };
    if client.following.get_untracked() {
        // At its very end the log stays there by itself. If it is elsewhere now, the reader is just scrolling away, and
        // the event that says so is on its way.
        if places.scrolled_to.get_value() != 0 {
            log.set_scroll_top(0);
        }
    } else if let Some(anchor) = anchor.filter(|anchor| anchor.row.is_connected()) {
        let moved = anchor.row.get_bounding_client_rect().top() - anchor.top;
        if moved.abs() >= 1.0 {
            log.set_scroll_top(log.scroll_top() + moved.round() as i32);
        }
    }
}

/// The reader scrolled.
pub(super) fn scrolled(client: RoomClient, places: Places, log: &HtmlElement) {
    places.scrolled_to.set_value(log.scroll_top());
    client.scrolled(-log.scroll_top() < NEAR_END);
    reveal(client, log);
}

/// Goes to the newest message.
pub(super) fn to_end(client: RoomClient, places: Places) {
    client.follow();
    if let Some(log) = places.log.get_untracked() {
        log.set_scroll_top(0);
    }
}

/// Shows more where the reader is near an edge.
fn reveal(client: RoomClient, log: &HtmlElement) {
    let below = -log.scroll_top();
    let above = log.scroll_height() - log.client_height() - below;
    if above < NEAR_EDGE {
        client.reveal_older();
    } else if below < NEAR_EDGE && !client.following.get_untracked() {
        client.reveal_newer();
    }
}

fn is_anchored_by_browser(log: &HtmlElement) -> bool {
    let style = window().get_computed_style(log).ok().flatten();
    let anchoring = style.and_then(|style| style.get_property_value("overflow-anchor").ok());
    anchoring.is_some_and(|anchoring| anchoring == "auto")
}

/// The first message that is in view. Other rows may move for good reasons: a day's heading goes up when more of its
/// day is loaded.
fn anchor_of(log: &HtmlElement) -> Option<Anchor> {
    let top = log.get_bounding_client_rect().top();
    let rows = log.query_selector("ol").ok()??.children();
    let (mut above, mut below) = (0, rows.length());
    while above < below {
        let middle = (above + below) / 2;
        if rows.item(middle)?.get_bounding_client_rect().bottom() <= top {
            above = middle + 1;
        } else {
            below = middle;
        }
    }
    let mut row = rows.item(above)?;
    while !row.class_list().contains("msg") {
        row = row.next_element_sibling()?;
    }
    let top = row.get_bounding_client_rect().top();
    Some(Anchor { row, top })
}
