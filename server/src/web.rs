//! The router: the only place that lists URLs.

mod assets;
mod caller;
mod connection;
mod entrance;
mod headers;
mod health;
mod history;
mod lobby;
mod origin;
mod pages;
mod problem;
mod scrape;
mod socket;
mod visitor;

use crate::{
    chat::Chat,
    config::Serve,
    delivery::{Admission, Delivery, Seats},
    metrics::Metrics,
};
use axum::{Router, extract::State, middleware, response::Response, routing::get};
pub use caller::Peer;
pub(crate) use connection::serve_connection;
pub use entrance::Entrance;
use ipnet::IpNet;
pub(crate) use lobby::Lobby;
pub(crate) use scrape::{Scraped, metrics_router};
use std::{ops::Deref, sync::Arc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

/// What the handlers share. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Site(Arc<Parts>);

/// See [`Site`].
pub(crate) struct Parts {
    chat: Chat,
    /// Who may open sockets; empty means the host that the request names.
    origins: Vec<String>,
    admission: Admission,
    seats: Seats,
    /// Whose `X-Forwarded-For` is believed.
    proxies: Vec<IpNet>,
    metrics: Metrics,
    delivery: Delivery,
    /// Those who are being let in.
    arrivals: TaskTracker,
    stopping: CancellationToken,
}

impl Site {
    /// The site over `chat`. Who opens a socket is counted in `arrivals` until `delivery` has them, and nobody is let in
    /// once `stopping` is cancelled.
    pub(crate) fn new(
        chat: Chat,
        config: &Serve,
        seats: Seats,
        metrics: Metrics,
        delivery: Delivery,
        arrivals: TaskTracker,
        stopping: CancellationToken,
    ) -> Site {
        let (origins, proxies) = (config.origins.clone(), config.trusted_proxies.clone());
        let admission = Admission::new();
        Site(Arc::new(Parts { chat, origins, admission, seats, proxies, metrics, delivery, arrivals, stopping }))
    }
}

impl Deref for Site {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Every URL of Taproom.
pub(crate) fn router(site: Site) -> Router {
    let pages = Router::new()
        .route("/", get(pages::by_parameter))
        .route("/r/{room}", get(pages::by_path))
        .route("/r/{room}/", get(pages::without_slash))
        .route("/r/{room}/m/{seq}", get(pages::by_message))
        .route("/r/{room}/m/{seq}/", get(pages::without_slash))
        .route("/api/v1/rooms/{room}/events", get(history::events))
        .route("/api/v1/events", get(history::events_by_parameter))
        .layer(CompressionLayer::new());
    Router::new()
        .merge(pages)
        .route("/ws", get(socket::open))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(assets::serve)
        .layer(CatchPanicLayer::new())
        .layer(middleware::map_response_with_state(site.clone(), finish))
        .with_state(site)
}

/// What is done with every answer, also with that to a request that panicked.
async fn finish(State(site): State<Site>, response: Response) -> Response {
    site.metrics.door.answered(response.status().as_u16());
    headers::secure(response)
}
