//! The connection report, as a dialog that the headline opens.

use super::{app::Places, dom};
use crate::client::RoomClient;
use leptos::{ev, prelude::*};
use std::time::Duration;

/// How often the report is brought up to date while it is open.
const TICK: Duration = Duration::from_secs(1);

#[component]
pub(super) fn ConnectionReport() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let dialog = expect_context::<Places>().report_dialog;
    let lines = RwSignal::new(Vec::new());
    let open = RwSignal::new(false);
    Effect::new(move |_| {
        if open.get() {
            lines.set(client.report());
            if let Ok(handle) = set_interval_with_handle(move || lines.set(client.report()), TICK) {
                on_cleanup(move || handle.clear());
            }
        }
    });
    let copy = move |_| {
        let line = |(name, value): &(&str, String)| [name, ": ", value].concat();
        dom::copy(client, &lines.read_untracked().iter().map(line).collect::<Vec<_>>().join("\n"), "Report copied.");
    };
    view! {
        <dialog
            id="connection-report"
            aria-labelledby="connection-report-title"
            node_ref=dialog
            on:toggle=move |_: ev::Event| open.set(dialog.get_untracked().is_some_and(|dialog| dialog.open()))
        >
            <h2 id="connection-report-title">"Connection"</h2>
            <dl>
                {move || lines.get().into_iter().map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> }).collect_view()}
            </dl>
            <form method="dialog" class="buttons">
                <button class="copy-report" type="button" on:click=copy>"Copy report"</button>
                <button class="primary">"Close"</button>
            </form>
        </dialog>
    }
}
