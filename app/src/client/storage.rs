//! What this browser remembers: the reader's name and colours in cookies, because the server reads them; rooms, unsent
//! lines and what waits to be sent in its own storage. Where that is forbidden, things are remembered for as long as the
//! page lives.

use super::{
    address::{Spot, encoded},
    first_page::Theme,
    outbox::keeper::{MAX_RECORDS, PREFIX, Shelf},
};
use crate::protocol::{NickName, RoomName};
use leptos::prelude::{document, window};
use std::cell::RefCell;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlDocument, Storage};

/// How many rooms are in the list at most.
const MAX_RECENT_ROOMS: usize = 20;

/// The longest unsent line that is remembered, in bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// How many keys are looked through for outboxes at most. This site's own are far fewer.
const MAX_KEYS: u32 = 10_000;

const ROOMS: &str = "taproom:rooms";

thread_local! {
    /// What could not be stored.
    static MEMORY: RefCell<Vec<(String, String)>> = RefCell::default();
    /// What the cookie of the name says, so that it is written only when it changes.
    static NAME: RefCell<Option<NickName>> = RefCell::default();
}

/// The rooms of the list: those of the last time, and the current one.
pub(crate) fn recent_rooms(current: RoomName) -> Vec<RoomName> {
    let stored = read(ROOMS).unwrap_or_default();
    let mut rooms: Vec<RoomName> = stored.lines().filter_map(|name| RoomName::parse(name).ok()).collect();
    remember_room(&mut rooms, &current);
    rooms
}

/// Adds a room to the list. The first one of a full list goes.
pub(crate) fn remember_room(rooms: &mut Vec<RoomName>, room: &RoomName) {
    if !rooms.contains(room) {
        rooms.push(room.clone());
        let surplus = rooms.len().saturating_sub(MAX_RECENT_ROOMS);
        rooms.drain(..surplus);
    }
    store_rooms(rooms);
}

/// Takes a room off the list.
pub(crate) fn forget_room(rooms: &mut Vec<RoomName>, room: &RoomName) {
    rooms.retain(|other| other != room);
    store_rooms(rooms);
}

/// The line that was being written in a room.
pub(crate) fn line(room: &RoomName) -> String {
    read(&line_key(room)).unwrap_or_default()
}

/// Remembers the line that is being written in a room. One that is too long to remember takes the place of the one
/// before it all the same: an older one must not come back.
pub(crate) fn keep_line(room: &RoomName, line: &str) {
    if line.is_empty() || line.len() > MAX_LINE_BYTES {
        remove(&line_key(room));
    } else {
        write(&line_key(room), line);
    }
}

/// Forgets the line that was sent. What another tab is writing in the same room stays.
pub(crate) fn forget_line(room: &RoomName, sent: &str) {
    if line(room) == sent {
        remove(&line_key(room));
    }
}

/// Remembers what the reader is called.
pub(crate) fn remember_name(name: &NickName) {
    NAME.with_borrow_mut(|known| {
        if known.as_ref() != Some(name) {
            set_cookie("taproom_name", &encoded(name.as_str()));
            *known = Some(name.clone());
        }
    });
}

/// Shows the page in the colours that the reader wants, and remembers them.
pub(crate) fn choose_theme(theme: Theme) {
    if let Some(root) = document().document_element() {
        // Setting an attribute by a valid name cannot fail.
        let _ = root.set_attribute("data-theme", theme.as_str());
    }
    set_cookie("taproom_theme", theme.as_str());
}

/// Where the address leads to.
pub(crate) fn spot() -> Option<Spot> {
    let location = window().location();
    Spot::of(&location.pathname().ok()?, &location.search().ok()?)
}

/// Shows another address without loading a page.
pub(crate) fn push_address(path: &str) {
    if let Ok(history) = window().history() {
        // Browsers refuse when there are too many in a short time. The address is then the one before.
        let _ = history.push_state_with_url(&JsValue::NULL, "", Some(path));
    }
}

/// The browser's storage without a memory beside it: who keeps something here has to know whether it is kept.
#[derive(Debug)]
pub(super) struct BrowserShelf;

impl Shelf for BrowserShelf {
    fn read(&self, key: &str) -> Option<String> {
        storage()?.get_item(key).ok().flatten()
    }

    fn write(&mut self, key: &str, value: &str) -> bool {
        storage().is_some_and(|storage| storage.set_item(key, value).is_ok())
    }

    fn remove(&mut self, key: &str) {
        if let Some(storage) = storage() {
            // What cannot be removed could not be stored either.
            let _ = storage.remove_item(key);
        }
    }

    fn records(&self) -> Vec<String> {
        let Some(storage) = storage() else { return Vec::new() };
        let keys = 0..storage.length().unwrap_or(0).min(MAX_KEYS);
        let keys = keys.filter_map(|at| storage.key(at).ok().flatten());
        keys.filter(|key| key.starts_with(PREFIX)).take(MAX_RECORDS + 1).collect()
    }
}

fn line_key(room: &RoomName) -> String {
    ["taproom:line:", room.as_str()].concat()
}

fn store_rooms(rooms: &[RoomName]) {
    let names: Vec<&str> = rooms.iter().map(RoomName::as_str).collect();
    write(ROOMS, &names.join("\n"));
}

fn set_cookie(name: &str, value: &str) {
    if let Ok(document) = document().dyn_into::<HtmlDocument>() {
        let cookie = [name, "=", value, "; Max-Age=31536000; Path=/; SameSite=Lax"].concat();
        // A browser that keeps no cookies asks for the name again next time.
        let _ = document.set_cookie(&cookie);
    }
}

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

fn read(key: &str) -> Option<String> {
    let held = MEMORY.with_borrow(|memory| memory.iter().find(|held| held.0 == key).map(|held| held.1.clone()));
    held.or_else(|| BrowserShelf.read(key))
}

fn write(key: &str, value: &str) {
    let stored = BrowserShelf.write(key, value);
    MEMORY.with_borrow_mut(|memory| {
        memory.retain(|held| held.0 != key);
        if !stored {
            memory.push((key.to_owned(), value.to_owned()));
        }
    });
}

fn remove(key: &str) {
    MEMORY.with_borrow_mut(|memory| memory.retain(|held| held.0 != key));
    BrowserShelf.remove(key);
}
