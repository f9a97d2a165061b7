//! Small questions and requests to the browser's document.

use crate::client::RoomClient;
use js_sys::Reflect;
use leptos::prelude::{Set, document, window};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlDialogElement, HtmlElement, KeyboardEvent, MouseEvent};

/// Where the reader writes: the message, or the name.
pub(super) const COMPOSER: &str = "#composer-input, #name-input";

/// The first element that a selector finds and that can be seen.
pub(super) fn visible(selector: &str) -> Option<HtmlElement> {
    let element = document().query_selector(selector).ok()??.dyn_into::<HtmlElement>().ok()?;
    element.get_client_rects().length().gt(&0).then_some(element)
}

/// Moves the focus; whether there was something to move it to.
pub(super) fn focus(selector: &str) -> bool {
    // An element that cannot have the focus leaves it where it is.
    visible(selector).is_some_and(|element| element.focus().is_ok())
}

/// The element that has the focus.
pub(super) fn focused() -> Option<Element> {
    document().active_element()
}

/// Whether an element or one around it matches a selector.
pub(super) fn is_within(element: &Element, selector: &str) -> bool {
    element.closest(selector).is_ok_and(|found| found.is_some())
}

/// Whether a dialog is open.
pub(super) fn in_dialog() -> bool {
    document().query_selector("dialog[open]").is_ok_and(|dialog| dialog.is_some())
}

/// Opens a dialog over the page.
pub(super) fn open(dialog: Option<HtmlDialogElement>) {
    if let Some(dialog) = dialog.filter(|dialog| !dialog.open()) {
        // It fails only for a dialog that is open or not in the page.
        let _ = dialog.show_modal();
    }
}

/// Whether the reader's hand is a finger: then Enter breaks the line and the button sends.
pub(super) fn is_coarse_pointer() -> bool {
    window().match_media("(pointer: coarse)").ok().flatten().is_some_and(|query| query.matches())
}

/// Whether a click means what it is on, and not another tab or window.
pub(super) fn is_plain_click(event: &MouseEvent) -> bool {
    let has_modifier = event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key();
    event.button() == 0 && !has_modifier
}

/// The address of the link that was clicked on, as it is written there.
pub(super) fn clicked_link(event: &MouseEvent) -> Option<String> {
    let element = event.target()?.dyn_into::<Element>().ok()?;
    element.closest("a[href]").ok()??.get_attribute("href")
}

/// The site that the page came from.
pub(super) fn origin() -> String {
    window().location().origin().unwrap_or_default()
}

/// Whether a key is pressed to compose a character, as in Chinese, Japanese and Korean.
pub(super) fn is_composing(event: &KeyboardEvent) -> bool {
    const PROCESSED_BY_INPUT_METHOD: u32 = 229;
    event.is_composing() || event.key_code() == PROCESSED_BY_INPUT_METHOD
}

/// Puts a text on the clipboard, and says so in the words of `done`.
pub(super) fn copy(client: RoomClient, text: &str, done: &str) {
    let navigator = window().navigator();
    // Pages that did not come over TLS have none.
    let has_clipboard = Reflect::has(&navigator, &"clipboard".into()).unwrap_or(false);
    if has_clipboard {
        drop(navigator.clipboard().write_text(text));
        client.toast.set(done.to_owned());
    } else {
        client.alert.set("The browser lets only pages with https copy. Select the text by hand.".to_owned());
    }
}

/// Whether what is typed goes into a field.
pub(super) fn is_writing() -> bool {
    focused().is_some_and(|element| is_within(&element, "input, textarea, select, [contenteditable]"))
}
