//! Where the page comes alive in the browser.

use crate::components::App;
use leptos::{logging, mount};

/// Takes over the page that the server rendered. What goes wrong for good is said in the browser's console.
pub fn hydrate() {
    std::panic::set_hook(Box::new(|panic| logging::error!("{panic}")));
    mount::hydrate_body(App);
}
