//! Loading pages of history by HTTP.

use super::{RoomClient, clock, room::HistoryRequest, wire};
use crate::protocol::Page;
use gloo_net::http::Request;

/// Begins to load everything that the session asks for.
pub(super) fn load(client: RoomClient) {
    while let Some(request) = client.next_request() {
        leptos::task::spawn_local(async move {
            let page = fetch(&request).await;
            client.change(|session| session.loaded(&request, page.as_ref(), clock::now()));
        });
    }
}

/// A page; none when it did not come or cannot be read.
async fn fetch(request: &HistoryRequest) -> Option<Page> {
    let response = Request::get(&request.path()).send().await.ok()?;
    if !response.ok() {
        return None;
    }
    wire::read_page(&response.text().await.ok()?)
}
