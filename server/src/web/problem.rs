//! Errors over HTTP, as `application/problem+json` (RFC 9457).

use crate::{delivery::NoSeat, store::Unreadable};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// What went wrong, for a program and for a person.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    status: u16,
    title: &'static str,
    detail: String,
    /// When to try again, in seconds; told in a header.
    #[serde(skip)]
    retry_after: Option<u64>,
    /// Whether the connection ends with this answer.
    #[serde(skip)]
    is_last: bool,
}

/// When to try again what failed for reasons that pass, in seconds.
const SOON: u64 = 2;

/// Whoever finds the door full comes back within so many seconds, not all at once.
const SPREAD: std::ops::RangeInclusive<u64> = 1..=10;

impl Problem {
    /// The request cannot be understood; `detail` says what to change.
    pub(super) fn bad_request(detail: impl Into<String>) -> Problem {
        Problem { status: 400, title: "Bad request", detail: detail.into(), retry_after: None, is_last: false }
    }

    /// The request is understood and refused.
    pub(super) fn forbidden(detail: impl Into<String>) -> Problem {
        Problem { status: 403, title: "Forbidden", detail: detail.into(), retry_after: None, is_last: false }
    }

    /// Too many arrive at once.
    pub(super) fn crowded() -> Problem {
        Problem::turned_away(503, "Crowded", "Too many are coming at once. Come back in some seconds.")
    }

    /// As many people are in the room as it holds.
    pub(super) fn room_full() -> Problem {
        Problem::turned_away(503, "Room full", "This room is full. Come back when somebody has left.")
    }

    /// Whoever is turned away at the door has no use for the connection, and others have.
    fn turned_away(status: u16, title: &'static str, detail: &str) -> Problem {
        let retry_after = Some(rand::random_range(SPREAD));
        Problem { status, title, detail: detail.to_owned(), retry_after, is_last: true }
    }
}

impl From<NoSeat> for Problem {
    fn from(reason: NoSeat) -> Problem {
        match reason {
            NoSeat::Full => Problem::turned_away(
                503,
                "Full",
                "As many people are connected as this server holds. Come back in a while.",
            ),
            NoSeat::TooManyOfOne => {
                let detail =
                    "As many connections come from your address as one may have. Close one, or come back in a while.";
                Problem::turned_away(429, "Too many connections", detail)
            }
        }
    }
}

impl From<Unreadable> for Problem {
    fn from(_: Unreadable) -> Problem {
        let detail = "The log cannot be read now. Try again in a moment; if it goes on, its operator finds the reason in the server's log.";
        Problem { status: 503, title: "Unreadable", detail: detail.to_owned(), retry_after: Some(SOON), is_last: false }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (retry_after, is_last) = (self.retry_after, self.is_last);
        let mut response = (status, Json(self)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if is_last {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
