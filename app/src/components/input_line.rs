//! The input line.

use super::dom;
use crate::{
    client::{RoomClient, storage},
    protocol::Text,
};
use leptos::{ev, html, prelude::*};
use web_sys::{HtmlElement, HtmlTextAreaElement};

/// From how many bytes on it is said how many are left.
const COUNT_FROM: usize = Text::MAX_BYTES / 10 * 9;

/// Longer than this, a text is not measured to the byte: that it is too long is known.
const MEASURE_UNITS: u32 = 4 * Text::MAX_BYTES as u32;

/// How full the line is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fill {
    bytes: usize,
    /// There may be more than `bytes`.
    at_least: bool,
}

#[component]
pub(super) fn InputLine() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let input = NodeRef::<html::Textarea>::new();
    let fill = RwSignal::new(Fill::default());
    let error = RwSignal::new(String::new());
    let too_long = Memo::new(move |_| fill.read().bytes > Text::MAX_BYTES);
    Effect::new(move |before: Option<()>| {
        let room = client.room.get();
        let Some(input) = input.get() else { return };
        // What was typed before the page came alive is not taken away.
        if before.is_some() || input.value().is_empty() {
            input.set_value(&storage::line(&room));
        }
        error.set(String::new());
        measure(&input, fill);
    });
    Effect::new(move |_| {
        // Whoever just picked a name wants to write.
        if dom::focused().is_none_or(|element| element.tag_name() == "BODY")
            && let Some(input) = input.get()
        {
            // The box is in the page, so it can have the focus.
            let _ = input.focus();
        }
    });
    let on_input = move |_| {
        if let Some(input) = input.get_untracked() {
            error.set(String::new());
            measure(&input, fill);
            storage::keep_line(&client.room.get_untracked(), &input.value());
        }
    };
    let send = move || {
        let Some(input) = input.get_untracked() else { return };
        let line = input.value();
        if line.trim().is_empty() || too_long.get_untracked() {
            return;
        }
        // The room may be another one afterwards.
        let room = client.room.get_untracked();
        match client.perform(&line) {
            Ok(()) => {
                storage::forget_line(&room, &line);
                if room == client.room.get_untracked() {
                    input.set_value("");
                    measure(&input, fill);
                }
                error.set(String::new());
            }
            Err(why) => error.set(why),
        }
        // The box is in the page, so it can have the focus.
        let _ = input.focus();
    };
    let on_keydown = move |event: ev::KeyboardEvent| {
        let sends = event.key() == "Enter" && !event.shift_key() && !dom::is_composing(&event);
        if sends && !dom::is_coarse_pointer() {
            event.prevent_default();
            send();
        }
    };
    let on_submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        send();
    };
    let label = move || ["Message #", client.room.read().as_str()].concat();
    view! {
        <form id="composer" class="composer" autocomplete="off" on:submit=on_submit>
            <label class="vh" for="composer-input">{label}</label>
            <textarea
                id="composer-input"
                rows="1"
                dir="auto"
                enterkeyhint="send"
                autocomplete="off"
                placeholder=label
                aria-describedby="composer-error composer-count"
                aria-invalid=move || (too_long.get() || !error.read().is_empty()).to_string()
                class:huge=too_long
                node_ref=input
                on:input=on_input
                on:keydown=on_keydown
            ></textarea>
            <button class="primary" type="submit" disabled=too_long>"Send"</button>
            <div class="below">
                <span id="composer-error" class="error" aria-live="polite">{move || error.get()}</span>
                <span id="composer-count" class="counter" class:over=too_long>{move || count(fill.get())}</span>
            </div>
        </form>
    }
}

fn measure(input: &HtmlTextAreaElement, fill: RwSignal<Fill>) {
    let units = input.text_length();
    // A UTF-16 unit is one byte of UTF-8 or more.
    let at_least = units > MEASURE_UNITS;
    let bytes = if at_least { units as usize } else { input.value().len() };
    fill.set(Fill { bytes, at_least });
    if bytes <= Text::MAX_BYTES {
        grow(input);
    }
}

/// Makes the box as high as its text, in browsers that do not do so themselves.
fn grow(input: &HtmlTextAreaElement) {
    let computed = window().get_computed_style(input).ok().flatten();
    let sizing = computed.and_then(|style| style.get_property_value("field-sizing").ok());
    if sizing.is_none_or(|sizing| sizing.is_empty()) {
        const BORDERS: i32 = 2;
        let style = HtmlElement::style(input);
        // These properties exist and take these values, so setting them cannot fail.
        let _ = style.set_property("height", "auto");
        let _ = style.set_property("height", &[&(input.scroll_height() + BORDERS).to_string(), "px"].concat());
    }
}

fn count(fill: Fill) -> String {
    match fill.bytes.checked_sub(Text::MAX_BYTES) {
        None | Some(0) if fill.bytes < COUNT_FROM => String::new(),
        None | Some(0) => [&(Text::MAX_BYTES - fill.bytes).to_string(), " bytes left"].concat(),
        Some(over) => {
            let at_least = if fill.at_least { "at least " } else { "" };
            ["Too long to send: take away ", at_least, &over.to_string(), " bytes."].concat()
        }
    }
}
