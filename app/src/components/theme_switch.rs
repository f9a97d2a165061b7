//! Light, dark, or as the system has it.

use crate::client::{first_page::Theme, storage};
use leptos::prelude::*;

#[component]
pub(super) fn ThemeSwitch(theme: Theme) -> impl IntoView {
    let chosen = RwSignal::new(theme);
    let button = |theme: Theme| {
        let choose = move |_| {
            chosen.set(theme);
            storage::choose_theme(theme);
        };
        let words = match theme {
            Theme::Auto => "Auto",
            Theme::Light => "Light",
            Theme::Dark => "Dark",
        };
        view! {
            <button type="button" aria-pressed=move || (chosen.get() == theme).to_string() on:click=choose>{words}</button>
        }
    };
    view! { <div class="themes" role="group" aria-label="Colours">{Theme::ALL.into_iter().map(button).collect_view()}</div> }
}
