//! The HTML documents around what the reader sees, made on the server only.

use super::RoomPage;
use crate::{
    client::{address::room_path, session::NOT_HERE},
    components::{App, room_title},
    protocol::RoomName,
};
use leptos::{html, nonce::use_nonce, prelude::*};

/// Where the built files are: absolute URL paths, with the hashes in their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFiles {
    /// The styles.
    pub css: String,
    /// The JavaScript that loads the WebAssembly.
    pub js: String,
    /// The WebAssembly.
    pub wasm: String,
    /// The port on which `cargo leptos watch` says that the page should be loaded again.
    pub reload_port: Option<u16>,
}

const VIEWPORT: &str = "width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content";

/// The whole document of a room's page. Scripts carry the nonce of the response.
pub fn document(page: RoomPage, files: SiteFiles) -> impl IntoView {
    let theme = page.theme.as_str();
    let title = room_title(page.page.room.as_str());
    provide_context(page);
    view! {
        <!DOCTYPE html>
        <html lang="en" dir="ltr" data-theme=theme>
            <head>
                <Head title=title css=files.css.clone()/>
                <link rel="manifest" href="/manifest.webmanifest"/>
                <Scripts files=files/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// A page that says what went wrong and leads back to the default room. It needs no scripts.
pub fn error_document(title: &str, text: &str, files: SiteFiles) -> impl IntoView + use<> {
    let way = view! { <a href="/">"Go to the default room"</a> };
    trouble(title.to_owned(), text.to_owned(), files, way)
}

/// A page that says that a room does not have a message, and leads to the room.
pub fn no_such_message_document(room: &RoomName, files: SiteFiles) -> impl IntoView + use<> {
    let way = view! { <a href=room_path(room)>"Go to #"<bdi>{room.to_string()}</bdi></a> };
    trouble("No such message".to_owned(), NOT_HERE.to_owned(), files, way)
}

fn trouble(title: String, text: String, files: SiteFiles, way: impl IntoView) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en" dir="ltr">
            <head>
                <Head title=format!("{title} – Taproom") css=files.css/>
            </head>
            <body>
                <main class="trouble">
                    <h1>{title}</h1>
                    <p dir="auto">{text}</p>
                    <p>{way}</p>
                </main>
            </body>
        </html>
    }
}

#[component]
fn Head(title: String, css: String) -> impl IntoView {
    // Built by hand, because a view's child may be followed by a comment, and in a title a comment is text.
    let title = html::title().child(title);
    view! {
        <meta charset="utf-8"/>
        <meta name="viewport" content=VIEWPORT/>
        <meta name="color-scheme" content="light dark"/>
        {title}
        <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
        <link rel="stylesheet" href=css/>
    }
}

#[component]
fn Scripts(files: SiteFiles) -> impl IntoView {
    let nonce = use_nonce();
    let SiteFiles { js, wasm, reload_port, .. } = files;
    let start = format!("import init,{{hydrate}} from {js:?};init({{module_or_path:{wasm:?}}}).then(hydrate)");
    let reload = reload_port.map(|port| {
        let script =
            format!("new WebSocket(`ws://${{location.hostname}}:{port}/live_reload`).onmessage=()=>location.reload()");
        view! { <script nonce=use_nonce()>{script}</script> }
    });
    view! {
        <link rel="modulepreload" href=js nonce=nonce.clone()/>
        <link rel="preload" r#as="fetch" r#type="application/wasm" crossorigin="anonymous" href=wasm/>
        <script type="module" nonce=nonce>{start}</script>
        {reload}
    }
}
