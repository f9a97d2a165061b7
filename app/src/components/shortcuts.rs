//! All keys, as a dialog.

use super::{
    app::Places,
    keys::{SHORTCUTS, Shortcut},
};
use leptos::prelude::*;

#[component]
pub(super) fn Shortcuts() -> impl IntoView {
    let dialog = expect_context::<Places>().shortcuts_dialog;
    let line = |shortcut: &Shortcut| view! { <div><dt><kbd>{shortcut.keys}</kbd></dt><dd>{shortcut.help}</dd></div> };
    view! {
        <dialog id="shortcuts" aria-labelledby="shortcuts-title" node_ref=dialog>
            <h2 id="shortcuts-title">"Keys"</h2>
            <dl>{SHORTCUTS.iter().map(line).collect_view()}</dl>
            <form method="dialog" class="buttons"><button class="primary">"Close"</button></form>
        </dialog>
    }
}
