//! The question for a name: one field, Enter, and the message box is there.

use crate::{
    client::RoomClient,
    protocol::{NickName, sentence},
};
use leptos::{html, prelude::*};

#[component]
pub(super) fn NameForm() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let input = NodeRef::<html::Input>::new();
    let mistake = RwSignal::new(String::new());
    let problem = move || client.name.read().problem.clone();
    let choose = move |raw: &str| match NickName::parse(raw) {
        Ok(name) => {
            mistake.set(String::new());
            client.choose_name(name);
        }
        Err(error) => mistake.set(sentence(&error.to_string())),
    };
    Effect::new(move |_| {
        // A name that was lost while the page was open stays in the field, to be changed a little.
        if let (Some(problem), Some(input)) = (problem(), input.get())
            && input.value().is_empty()
        {
            input.set_value(problem.wanted.as_str());
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Some(input) = input.get_untracked() {
            choose(&input.value());
        }
    };
    let error = move || {
        let mistake = mistake.get();
        if mistake.is_empty() { problem().map(|problem| problem.text).unwrap_or_default() } else { mistake }
    };
    let is_wrong = move || !error().is_empty();
    let suggestion = move || problem().and_then(|problem| problem.suggestion).filter(|_| mistake.read().is_empty());
    let take = move |name: NickName| {
        let shown = name.clone();
        let choose = move |_| {
            if let Some(input) = input.get_untracked() {
                input.set_value(name.as_str());
                // The field is in the page, so it can have the focus.
                let _ = input.focus();
            }
            client.choose_name(name.clone());
        };
        view! { <button class="suggestion" type="button" on:click=choose>"Use "<bdi>{shown.to_string()}</bdi></button> }
    };
    view! {
        <form id="composer" class="composer" autocomplete="off" on:submit=submit>
            <label for="name-input">"Pick a name"</label>
            <input
                id="name-input"
                type="text"
                dir="auto"
                maxlength="64"
                placeholder="Your name"
                autocomplete="nickname"
                autocapitalize="off"
                spellcheck="false"
                enterkeyhint="go"
                aria-describedby="name-error"
                aria-invalid=move || is_wrong().to_string()
                node_ref=input
            />
            <button class="primary" type="submit" aria-disabled=move || client.name.read().pending.to_string()>"Join"</button>
            <div class="below">
                <span id="name-error" class="error" aria-live="polite">{error}</span>
                {move || suggestion().map(take)}
            </div>
        </form>
    }
}
