//! Errors over HTTP, as `application/problem+json` (RFC 9457).

use crate::store::Unreadable;
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
}

impl Problem {
    /// The request cannot be understood; `detail` says what to change.
    pub(super) fn bad_request(detail: impl Into<String>) -> Problem {
        Problem { status: 400, title: "Bad request", detail: detail.into() }
    }

    /// The request is understood and refused.
    pub(super) fn forbidden(detail: impl Into<String>) -> Problem {
        Problem { status: 403, title: "Forbidden", detail: detail.into() }
    }
}

impl From<Unreadable> for Problem {
    fn from(_: Unreadable) -> Problem {
        let detail = "The log cannot be read now. Try again in a moment; if it goes on, its operator finds the reason in the server's log.";
        Problem { status: 503, title: "Unreadable", detail: detail.to_owned() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
