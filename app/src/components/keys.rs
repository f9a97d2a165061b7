//! The keys that work everywhere in the page, from one table.

use super::{
    app::{Drawer, Places},
    dom,
};
use crate::client::RoomClient;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent};

/// A key, what it does, and how.
pub(super) struct Shortcut {
    pub(super) keys: &'static str,
    pub(super) help: &'static str,
    is_pressed: fn(&KeyboardEvent) -> bool,
    /// Does it, and says whether there was something to do. Otherwise the browser may.
    act: fn(RoomClient, Places) -> bool,
}

/// Every key that works everywhere.
pub(super) const SHORTCUTS: [Shortcut; 6] = [
    Shortcut {
        keys: "Alt+↑",
        help: "Go to the room above",
        is_pressed: |event| is_alone(event, Modifier::Alt) && event.key() == "ArrowUp",
        act: |client, _| visit(client, -1),
    },
    Shortcut {
        keys: "Alt+↓",
        help: "Go to the room below",
        is_pressed: |event| is_alone(event, Modifier::Alt) && event.key() == "ArrowDown",
        act: |client, _| visit(client, 1),
    },
    Shortcut {
        keys: "Ctrl+F6",
        help: "Go to the next part of the page",
        is_pressed: |event| is_alone(event, Modifier::Control) && event.key() == "F6",
        act: |_, _| next_region(),
    },
    Shortcut {
        keys: "Ctrl+/",
        help: "Show all keys",
        is_pressed: |event| is_alone(event, Modifier::Control) && event.key() == "/",
        act: |_, places| {
            dom::open(places.shortcuts_dialog.get_untracked());
            true
        },
    },
    Shortcut {
        keys: "End",
        help: "Go to the newest message",
        is_pressed: |event| is_alone(event, Modifier::None) && event.key() == "End" && !dom::is_writing(),
        act: |client, places| {
            super::scroll::to_end(client, places);
            true
        },
    },
    Shortcut {
        keys: "Esc",
        help: "Close what is open, or go back to the message box",
        is_pressed: |event| event.key() == "Escape",
        act: step_back,
    },
];

/// The parts of the page, in the order in which Ctrl+F6 goes through them.
const REGIONS: [&str; 4] = ["nav.rooms", ".log", "#composer", "aside.people"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Modifier {
    None,
    Alt,
    Control,
}

/// Listens to keys for as long as the page lives.
pub(super) fn listen(client: RoomClient, places: Places) {
    window_event_listener(ev::keydown, move |event| {
        if event.default_prevented() || dom::in_dialog() {
            return;
        }
        if let Some(shortcut) = SHORTCUTS.iter().find(|shortcut| (shortcut.is_pressed)(&event)) {
            if (shortcut.act)(client, places) {
                event.prevent_default();
            }
        } else if is_text(&event) && !dom::is_writing() {
            // The character arrives where the focus is now.
            dom::focus(dom::COMPOSER);
        }
    });
}

fn is_alone(event: &KeyboardEvent, modifier: Modifier) -> bool {
    // A Mac's command key is as good as control.
    let control = event.ctrl_key() || event.meta_key();
    event.alt_key() == (modifier == Modifier::Alt) && control == (modifier == Modifier::Control)
}

/// Whether a key writes something. The space bar presses buttons and scrolls, so it does not count.
fn is_text(event: &KeyboardEvent) -> bool {
    let key = event.key();
    let is_one = key.chars().count() == 1 && key != " ";
    is_one && !event.ctrl_key() && !event.meta_key() && !event.alt_key()
}

fn visit(client: RoomClient, step: isize) -> bool {
    client.visit_neighbour(step);
    true
}

fn next_region() -> bool {
    let is_here = |region: &&str| dom::focused().is_some_and(|element| dom::is_within(&element, region));
    let here = REGIONS.iter().position(is_here);
    let from = here.map_or(0, |here| here + 1);
    (from..from + REGIONS.len()).any(|at| enter(REGIONS[at % REGIONS.len()]))
}

/// Moves the focus into a part of the page: to where one can write or choose there, or to the part itself.
fn enter(region: &str) -> bool {
    let inside = match region {
        "nav.rooms" => "nav.rooms a[aria-current]",
        "#composer" => dom::COMPOSER,
        region => region,
    };
    dom::focus(inside)
}

/// Out of a drawer, then from the messages to the message box, then to the newest message.
fn step_back(client: RoomClient, places: Places) -> bool {
    if let Some(drawer) = places.drawer.get_untracked() {
        places.drawer.set(None);
        return dom::focus(if drawer == Drawer::Rooms { ".open-rooms" } else { ".open-people" });
    }
    if dom::focused().is_some_and(|element| dom::is_within(&element, ".log")) {
        return dom::focus(dom::COMPOSER);
    }
    let has_pill = client.unseen.get_untracked() > 0 || client.away.get_untracked();
    if has_pill {
        super::scroll::to_end(client, places);
    }
    has_pill
}

/// Moves over the messages of the log with the arrow keys; whether there was one to go to.
pub(super) fn walk(log: &Element, key: &str) -> bool {
    let here = dom::focused().and_then(|element| element.closest(".msg").ok().flatten());
    let next = match (&here, key) {
        (Some(here), "ArrowUp") => sibling(here, Element::previous_element_sibling),
        (Some(here), "ArrowDown") => sibling(here, Element::next_element_sibling),
        (None, "ArrowUp") => last_message(log),
        _ => None,
    };
    let next = next.and_then(|element| element.dyn_into::<HtmlElement>().ok());
    if let Some(message) = &next {
        message.set_tab_index(-1);
        // A message can have the focus once it has a tab index.
        let _ = message.focus();
    }
    next.is_some() || here.is_some()
}

fn sibling(element: &Element, step: fn(&Element) -> Option<Element>) -> Option<Element> {
    std::iter::successors(step(element), step).find(|element| element.class_list().contains("msg"))
}

fn last_message(log: &Element) -> Option<Element> {
    let messages = log.query_selector_all(".msg").ok()?;
    messages.get(messages.length().checked_sub(1)?)?.dyn_into().ok()
}
