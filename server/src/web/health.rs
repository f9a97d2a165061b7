//! Whether the server lives, and whether it lets people in.

use super::Site;
use axum::{extract::State, http::StatusCode};

/// The process answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// New visitors are welcome. While the server stops they are not, nor while every seat is taken.
pub(super) async fn ready(State(site): State<Site>) -> (StatusCode, &'static str) {
    if site.stopping.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if site.seats.are_full() {
        (StatusCode::SERVICE_UNAVAILABLE, "full\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}
