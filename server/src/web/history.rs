//! Pages of a room's log over HTTP: the same events that the socket carries.

use super::{Site, problem::Problem};
use crate::store::{Cut, MAX_PAGE};
use app::protocol::{Page, RoomName, Seq};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

/// Events of a page when the reader does not say how many.
const DEFAULT_PAGE: usize = 50;

/// `?before=SEQ`, `?after=SEQ` or `?around=SEQ`, and `limit`; `room` where the path does not name it.
#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    room: Option<String>,
    before: Option<Seq>,
    after: Option<Seq>,
    around: Option<Seq>,
    limit: Option<usize>,
}

/// Answers a [`Page`].
pub(super) async fn events(
    State(site): State<Site>,
    Path(room): Path<String>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(parameters) = parameters.map_err(|bad| Problem::bad_request(bad.body_text()))?;
    answer(&site, &room, &parameters).await
}

/// The same for a room that the parameter `room` names: browsers take `.` and `..` in a path for steps.
pub(super) async fn events_by_parameter(
    State(site): State<Site>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(parameters) = parameters.map_err(|bad| Problem::bad_request(bad.body_text()))?;
    answer(&site, parameters.room.as_deref().unwrap_or_default(), &parameters).await
}

async fn answer(site: &Site, room: &str, parameters: &Parameters) -> Result<Response, Problem> {
    let room = RoomName::parse(room).map_err(|bad| Problem::bad_request(app::protocol::sentence(&bad.to_string())))?;
    let page: Page = site.chat.store.page(&room, parameters.cut()?, parameters.limit()?).await?;
    Ok(([(header::CACHE_CONTROL, "private, no-store")], Json(page)).into_response())
}

impl Parameters {
    fn cut(&self) -> Result<Cut, Problem> {
        match (self.before, self.after, self.around) {
            (None, None, None) => Ok(Cut::Newest),
            (Some(seq), None, None) => Ok(Cut::Before(seq)),
            (None, Some(seq), None) => Ok(Cut::After(seq)),
            (None, None, Some(seq)) => Ok(Cut::Around(seq)),
            _ => Err(Problem::bad_request("Give one of before, after and around, or none for the newest events.")),
        }
    }

    fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(DEFAULT_PAGE) {
            limit @ 1..=MAX_PAGE => Ok(limit),
            _ => Err(Problem::bad_request(format!("limit is a number from 1 to {MAX_PAGE}."))),
        }
    }
}
