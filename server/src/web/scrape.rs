//! What is measured, over HTTP, on a listener of its own: it is for the operator, and visitors do not reach it.

use super::lobby::Lobby;
use crate::{delivery::Seats, metrics::Exporter, rooms::Rooms};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::task::spawn_blocking;

/// The text format's own type.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is looked up when somebody asks.
#[derive(Clone)]
pub(crate) struct Scraped {
    pub(crate) exporter: Exporter,
    pub(crate) seats: Seats,
    pub(crate) lobby: Lobby,
    pub(crate) rooms: Rooms,
}

/// The one URL of that listener.
pub(crate) fn metrics_router(scraped: Scraped) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(scraped)
}

async fn metrics(State(Scraped { exporter, seats, lobby, rooms }): State<Scraped>) -> Response {
    let render = move || {
        let sockets = seats.taken();
        exporter.render(sockets, lobby.files_taken().saturating_sub(sockets), rooms.count())
    };
    match spawn_blocking(render).await {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        // It panicked, which the log has, or the runtime ends.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
