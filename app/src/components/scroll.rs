//! Where the log is scrolled to: at its end, at a message that an address leads to, or kept still while things come and
//! go around what is being read.
//!
//! The log is laid out from its end (`column-reverse`): its scroll position is zero there and negative above, and
//! what is put in above never moves anything. What comes or goes below is made up for here, in every browser alike:
//! the browsers' own scroll anchoring, where there is one, gives up now and then and is turned off.

use super::{app::Places, dom};
use crate::client::{RoomClient, clock, timeline::Edge};
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// How near to the end counts as at the end, in pixels.
const NEAR_END: i32 = 80;

/// Whoever scrolled so short a time ago is still scrolling, in milliseconds.
const SCROLLING_MS: u64 = 200;

/// How near to the first or last row, or to a hole, more is shown, in pixels.
const NEAR_EDGE: i32 = 800;

/// Something that is being read, and where it stays.
#[derive(Clone)]
struct Anchor {
    row: Element,
    /// How far its top is above the log's lower edge, in pixels.
    height: f64,
    /// The scroll position that belongs to it. At another one something else is being read.
    scrolled_to: i32,
}

/// Keeps the log's position right as rows come, go and change.
pub(super) fn keep(client: RoomClient, places: Places) {
    // It is kept from one change to the next: what cannot be made up for to the fraction of a pixel does not add up.
    let anchor = StoredValue::new_local(None::<Anchor>);
    let was_in_gap = StoredValue::new(false);
    let shown = StoredValue::new(0);
    request_animation_frame(move || {
        let Some(log) = places.log.get_untracked() else { return };
        // Whoever scrolled before the page came alive stays there.
        match (log.scroll_top() != 0, client.following.get_untracked()) {
            (true, true) => scrolled(client, places, &log),
            (false, false) => drop(show_marked(places, &log)),
            _ => {}
        }
    });
    client.before_rows(Callback::new(move |()| {
        was_in_gap.set_value(dom::focused().is_some_and(|element| dom::is_within(&element, ".gap")));
        let log = places.log.get_untracked().filter(|_| !client.following.get_untracked());
        let kept = anchor.try_update_value(Option::take).flatten();
        anchor.set_value(log.and_then(|log| kept.filter(|anchor| anchor.holds(&log)).or_else(|| Anchor::of(&log))));
    }));
    let settle = move || {
        let Some(log) = places.log.get_untracked() else { return };
        let found = client.found.get_untracked();
        if found != shown.get_value() {
            if show_marked(places, &log) {
                shown.set_value(found);
                anchor.set_value(None);
            }
        } else if client.following.get_untracked() {
            settle_at_end(client, places);
        } else {
            anchor.update_value(|anchor| {
                if let Some(anchor) = anchor {
                    anchor.settle(places, &log);
                }
            });
        }
    };
    Effect::new(move |_| {
        client.rows.track();
        client.changes.track();
        client.found.track();
        // The rows come into the page by an effect of their own, which runs before this task or before the next frame.
        leptos::task::spawn_local(async move { settle() });
        request_animation_frame(move || {
            settle();
            // What is not in the page by now is not there to be shown.
            shown.set_value(client.found.get_untracked());
            if let Some(log) = places.log.get_untracked() {
                reveal(client, &log);
            }
            let has_no_focus = dom::focused().is_none_or(|element| element.tag_name() == "BODY");
            if was_in_gap.try_update_value(std::mem::take) == Some(true) && has_no_focus {
                // The last of a gap came, and the button that was pressed is gone.
                dom::focus(".log");
            }
        });
    });
}

/// Puts the log to its very end. There it stays by itself: if it is elsewhere now, the reader is just scrolling away, and
/// the event that says so is on its way. Whoever has begun to is not pulled back while they scroll.
fn settle_at_end(client: RoomClient, places: Places) {
    let scrolled_to = places.scrolled_to.get_value();
    if scrolled_to == 0 || !client.following.get_untracked() {
        return;
    }
    let is_scrolling = clock::now() < places.scrolled_when.get_value() + SCROLLING_MS;
    if is_scrolling && -scrolled_to < NEAR_END {
        set_timeout(move || settle_at_end(client, places), Duration::from_millis(SCROLLING_MS));
    } else if let Some(log) = places.log.get_untracked() {
        log.set_scroll_top(0);
    }
}

impl Anchor {
    /// The first message that is in view. Other rows may move for good reasons: a day's heading goes up when more of
    /// its day is loaded.
    fn of(log: &HtmlElement) -> Option<Anchor> {
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
        Some(Anchor { height: height(&row, log), row, scrolled_to: log.scroll_top() })
    }

    fn holds(&self, log: &HtmlElement) -> bool {
        self.row.is_connected() && self.scrolled_to == log.scroll_top()
    }

    /// Brings what is being read back to where it was.
    fn settle(&mut self, places: Places, log: &HtmlElement) {
        if !self.row.is_connected() {
            return;
        }
        let risen = height(&self.row, log) - self.height;
        if risen.abs() >= 0.5 {
            log.scroll_by_with_x_and_y(0.0, -risen);
            self.scrolled_to = log.scroll_top();
            places.settled_at.set_value(Some(self.scrolled_to));
        }
    }
}

/// How far a row's top is above the log's lower edge.
fn height(row: &Element, log: &HtmlElement) -> f64 {
    log.get_bounding_client_rect().bottom() - row.get_bounding_client_rect().top()
}

/// Scrolls to the message that an address leads to, and gives it the focus; false when it is not in the page.
fn show_marked(places: Places, log: &HtmlElement) -> bool {
    let row = log.query_selector(".marked").ok().flatten();
    let Some(row) = row.and_then(|row| row.dyn_into::<HtmlElement>().ok()) else { return false };
    let (inner, outer) = (row.get_bounding_client_rect(), log.get_bounding_client_rect());
    let is_in_view = inner.top() >= outer.top() && inner.bottom() <= outer.bottom();
    row.set_tab_index(-1);
    // Whoever has begun to write goes on writing.
    if !dom::is_writing() {
        // A message can have the focus once it has a tab index.
        let _ = row.focus();
    }
    if !is_in_view {
        let inner = row.get_bounding_client_rect();
        log.scroll_by_with_x_and_y(0.0, (inner.top() + inner.bottom() - outer.top() - outer.bottom()) / 2.0);
    }
    places.settled_at.set_value(Some(log.scroll_top()));
    true
}

/// The log was scrolled, by the reader or by the page.
pub(super) fn scrolled(client: RoomClient, places: Places, log: &HtmlElement) {
    let to = log.scroll_top();
    places.scrolled_to.set_value(to);
    if places.settled_at.get_value() != Some(to) {
        places.settled_at.set_value(None);
        places.scrolled_when.set_value(clock::now());
        client.scrolled(-to < NEAR_END);
    }
    reveal(client, log);
}

/// Goes to the newest message.
pub(super) fn to_end(client: RoomClient, places: Places) {
    client.jump();
    places.scrolled_when.set_value(0);
    if let Some(log) = places.log.get_untracked() {
        log.set_scroll_top(0);
    }
}

/// The edge of a hole that is nearer to what is being read.
pub(super) fn nearer_edge(gap: &Element, log: &HtmlElement) -> Edge {
    let (gap, view) = (gap.get_bounding_client_rect(), log.get_bounding_client_rect());
    if gap.top() + gap.bottom() > view.top() + view.bottom() { Edge::Upper } else { Edge::Lower }
}

/// Shows more where the reader is near an edge.
fn reveal(client: RoomClient, log: &HtmlElement) {
    let below = -log.scroll_top();
    let above = log.scroll_height() - log.client_height() - below;
    if above < NEAR_EDGE {
        client.reveal_older();
    }
    if below < NEAR_EDGE && !client.following.get_untracked() {
        client.reveal_newer();
        // A log that is all in view cannot be scrolled to its end.
        if log.scroll_height() <= log.client_height() {
            client.scrolled(true);
        }
    }
    if let Ok(gaps) = log.query_selector_all(".gap") {
        let gaps = (0..gaps.length()).filter_map(|at| gaps.get(at)?.dyn_into::<Element>().ok());
        gaps.for_each(|gap| reach(client, &gap, log));
    }
}

/// Loads more of a hole if the reader is near it.
fn reach(client: RoomClient, gap: &Element, log: &HtmlElement) {
    let (inner, outer) = (gap.get_bounding_client_rect(), log.get_bounding_client_rect());
    let distance = (inner.top() - outer.bottom()).max(outer.top() - inner.bottom());
    let number = gap.get_attribute("data-gap").and_then(|number| number.parse().ok());
    if let Some(number) = number.filter(|_| distance < f64::from(NEAR_EDGE)) {
        client.near_hole(number, nearer_edge(gap, log));
    }
}
