//! The door to the WebSocket: who asks, and where they want to go.

use super::{Site, assets, caller::Caller, origin, problem::Problem, visitor};
use crate::{
    delivery::{Arrival, Guest},
    metrics::Reason,
    rooms::From,
    websocket::upgrade,
};
use app::protocol::{Epoch, NickName, RoomName, Seq};
use axum::{
    Extension,
    extract::{Query, Request, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::CookieJar;
use serde::Deserialize;

/// `/ws?room=NAME&after=SEQ&epoch=EPOCH&name=NICK`, all of them optional.
#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    room: Option<String>,
    after: Option<String>,
    epoch: Option<String>,
    name: Option<String>,
}

/// Opens a socket.
pub(super) async fn open(
    State(site): State<Site>,
    Extension(caller): Extension<Caller>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    mut request: Request,
) -> Response {
    let (answer, promise) = match upgrade::accept(&mut request) {
        Ok(accepted) => accepted,
        Err(refused) => return *refused,
    };
    let arrival = match arrival(&site, parameters, &request) {
        Ok(arrival) => arrival,
        Err(problem) => return problem.into_response(),
    };
    let mut seat = match site.seats.take(caller.household(request.headers(), &site.proxies)) {
        Ok(seat) => seat,
        Err(none) => return turned_away(&site, none.into(), Problem::from(none)),
    };
    if site.chat.rooms.is_full(&arrival.room) {
        return turned_away(&site, Reason::RoomFull, Problem::room_full());
    }
    // From here on the seat counts the connection, also while it waits at the door.
    seat.keep(caller.visit.leave());
    let Ok(admitted) = site.admission.admit().await else {
        return turned_away(&site, Reason::Crowded, Problem::crowded());
    };
    let arrivals = site.arrivals.clone();
    arrivals.spawn(async move {
        if let Some(opened) = promise.open().await {
            let guest = Guest::welcome(&site.chat, &site.metrics.delivery, opened, arrival, seat, admitted).await;
            site.delivery.take(guest).await;
        }
    });
    answer
}

fn arrival(
    site: &Site,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: &Request,
) -> Result<Arrival, Problem> {
    let headers = request.headers();
    if let Err(refused) = origin::check(headers, &site.origins, visitor::has_cookie(headers)) {
        tracing::info!(?refused, "a socket was refused");
        site.metrics.door.refused(Reason::ForeignOrigin);
        return Err(Problem::forbidden(
            "Sockets are opened from this site's own pages. If this is its address, list it in TAPROOM_ORIGINS.",
        ));
    }
    let Query(parameters) = parameters.map_err(|bad| Problem::bad_request(bad.body_text()))?;
    let visitor = visitor::visitor(&CookieJar::from_headers(headers));
    Ok(Arrival { visitor, build: assets::build(), ..parameters.arrival()? })
}

fn turned_away(site: &Site, reason: Reason, problem: Problem) -> Response {
    site.metrics.door.refused(reason);
    problem.into_response()
}

impl Parameters {
    fn arrival(self) -> Result<Arrival, Problem> {
        let room = RoomName::of_parameter(self.room.as_deref())
            .map_err(|bad| Problem::bad_request(app::protocol::sentence(&bad.to_string())))?;
        let after = self.after.filter(|after| !after.is_empty());
        let after = after
            .map(|after| after.parse().map(Seq))
            .transpose()
            .map_err(|_| Problem::bad_request("after is a position: a whole number from 0."))?;
        let epoch = self.epoch.filter(|epoch| !epoch.is_empty() && epoch.len() <= Epoch::MAX_BYTES);
        let from = From { after, epoch: epoch.map(|epoch| Epoch(epoch.into())) };
        // A name that is none is no reason to turn somebody away: they come as a guest and are told.
        let name = self.name.filter(|name| !name.is_empty()).map(|name| NickName::parse(&name));
        Ok(Arrival { room, from, name, ..Arrival::default() })
    }
}
