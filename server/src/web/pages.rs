//! The pages: a room as it is now, rendered here and brought to life in the browser.

use super::{Site, assets, visitor};
use crate::store::Cut;
use app::{
    backend::{Backend, Unreadable},
    pages::{RoomPage, document, error_document, no_such_message_document},
    protocol::{Page, RoomName, Seq, UserList},
};
use axum::{
    body::Body,
    extract::{Path, Query, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;
use leptos::{IntoView, nonce::use_nonce, prelude::use_context};
use leptos_axum::{ResponseOptions, render_app_async_with_context};
use serde::Deserialize;

/// `/?room=NAME` and `/?room=NAME&m=SEQ`.
#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    room: Option<String>,
    m: Option<String>,
}

/// `/`: the room that the parameter names, or the default room; or a message in it.
pub(super) async fn by_parameter(
    State(site): State<Site>,
    Query(parameters): Query<Parameters>,
    request: Request,
) -> Response {
    match RoomName::of_parameter(parameters.room.as_deref()) {
        Ok(room) => match parameters.m {
            Some(seq) => message(site, room, &seq, request).await,
            None => page(site, room, None, request).await,
        },
        Err(bad) => no_such_room(&bad.to_string(), request).await,
    }
}

/// `/r/NAME/m/SEQ`.
pub(super) async fn by_message(
    State(site): State<Site>,
    Path((room, seq)): Path<(String, String)>,
    request: Request,
) -> Response {
    match RoomName::parse(&room) {
        Ok(room) => message(site, room, &seq, request).await,
        Err(bad) => no_such_room(&bad.to_string(), request).await,
    }
}

/// `/r/NAME`.
pub(super) async fn by_path(State(site): State<Site>, Path(room): Path<String>, request: Request) -> Response {
    match RoomName::parse(&room) {
        Ok(room) => page(site, room, None, request).await,
        Err(bad) => no_such_room(&bad.to_string(), request).await,
    }
}

/// `/r/NAME/` means `/r/NAME`.
pub(super) async fn without_slash(request: Request) -> Redirect {
    Redirect::permanent(request.uri().path().trim_end_matches('/'))
}

/// A room's page that opens where a message is.
async fn message(site: Site, room: RoomName, seq: &str, request: Request) -> Response {
    match seq.parse() {
        Ok(seq) => page(site, room, Some(Seq(seq)), request).await,
        Err(_) => no_such_message(&room, request).await,
    }
}

async fn page(site: Site, room: RoomName, focus: Option<Seq>, request: Request) -> Response {
    let jar = CookieJar::from_headers(request.headers());
    let (me, theme) = (visitor::name(&jar), visitor::theme(&jar));
    let jar = visitor::welcome(jar, request.headers());
    let Ok(page) = RoomPage::load(&site, room, focus, me, theme, &assets::build()).await else {
        return unreadable(request).await;
    };
    if !page.has_its_focus() {
        return no_such_message(&page.page.room, request).await;
    }
    let response = render(request, move || document(page.clone(), assets::site_files())).await;
    (jar, response).into_response()
}

async fn unreadable(request: Request) -> Response {
    let text = "The server cannot read this room now. Load the page again in a moment.";
    let mut response = render(request, move || error_document("Not now", text, assets::site_files())).await;
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

async fn no_such_room(why: &str, request: Request) -> Response {
    let text = app::protocol::sentence(why);
    let mut response = render(request, move || error_document("No such room", &text, assets::site_files())).await;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

async fn no_such_message(room: &RoomName, request: Request) -> Response {
    let room = room.clone();
    let mut response = render(request, move || no_such_message_document(&room, assets::site_files())).await;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The page for an address that nothing is at.
pub(super) async fn not_found(request: Request) -> Response {
    let text = "There is nothing at this address.";
    let mut response = render(request, move || error_document("Not found", text, assets::site_files())).await;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

async fn render<V: IntoView + 'static>(
    request: Request,
    view: impl Fn() -> V + Clone + Send + Sync + 'static,
) -> Response<Body> {
    let mut response = render_app_async_with_context(set_policy, view)(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// Scripts run only where this answer's nonce says so (CSP level 3).
fn set_policy() {
    let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else { return };
    let policy = format!(
        "default-src 'self'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'; \
         object-src 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}

impl Backend for Site {
    async fn newest(&self, room: &RoomName, limit: usize) -> Result<Page, Unreadable> {
        self.chat.store.page(room, Cut::Newest, limit).await.map_err(|_| Unreadable)
    }

    async fn around(&self, room: &RoomName, seq: Seq, limit: usize) -> Result<Page, Unreadable> {
        self.chat.store.page(room, Cut::Around(seq), limit).await.map_err(|_| Unreadable)
    }

    fn present(&self, room: &RoomName) -> UserList {
        self.chat.rooms.users(room)
    }
}
