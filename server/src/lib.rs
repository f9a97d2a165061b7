//! Taproom's server: rooms, their log, delivery to everybody connected, and the site itself.
//!
//! The flow is one way: a frame is read ([`web`]), the rules are applied ([`chat`]), the journal keeps it ([`journal`]),
//! the room shows it ([`rooms`]), and every connection that is behind reads on (`delivery`). What goes over the wire in
//! between are WebSocket frames ([`websocket`]).

pub mod chat;
pub mod config;
#[cfg(test)]
mod counted;
mod delivery;
pub mod files;
pub mod journal;
mod metrics;
pub mod people;
pub mod rooms;
pub mod store;
pub mod web;
pub mod websocket;

use crate::metrics::Metrics;
use app::protocol::Timestamp;
use axum::{Router, serve::Listener};
use chat::Chat;
use config::Serve;
use delivery::{Delivery, Seats, Shards};
use files::{Places, TooFewFiles};
use journal::Journal;
use people::People;
use rooms::Rooms;
use std::{io, time::SystemTime};
use store::{Database, OpenError, Store};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
pub use web::{Entrance, Peer};
use web::{Lobby, Scraped, Site, metrics_router, serve_connection};

/// Connections to `/metrics` at once.
const SCRAPERS: usize = 8;

/// The server's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::of(SystemTime::now())
}

/// A running Taproom: made once, served on a listener, shut down.
pub struct Server {
    router: Router,
    /// Connections that ask over HTTP.
    lobby: Lobby,
    /// What answers `/metrics`, where something is measured.
    metrics: Option<Router>,
    /// Where it answers.
    metrics_entrance: Option<Entrance>,
    /// Those who are being let in.
    arrivals: TaskTracker,
    /// The shards with everybody's sockets.
    shards: TaskTracker,
    /// The journal's writer and the rooms' housekeepers.
    workers: TaskTracker,
    /// Cancelled when the server is to stop: nobody is let in, sockets say goodbye.
    stopping: CancellationToken,
    /// Cancelled when the last socket is gone.
    idle: CancellationToken,
    /// Where serving is not waited for to its end, their threads end with this.
    _threads: Shards,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// The data directory cannot be used.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The process may not have enough files open.
    #[error(transparent)]
    Files(#[from] TooFewFiles),
    /// The system gives no more threads or descriptors.
    #[error("sockets cannot be served: {0}; see the limits on threads and open files (ulimit -u, ulimit -n)")]
    Delivery(#[from] io::Error),
}

impl Server {
    /// Opens the log and starts the tasks that keep it, and the threads that serve sockets; fails where the data
    /// directory cannot be used, or where there is no place for as many connections as are wanted. Must be called on a
    /// tokio runtime; on one of a single thread everything is done by its tasks.
    pub fn open(config: &Serve) -> Result<Server, NotOpened> {
        // The pages' own runtime. A second server in one process finds it there already.
        let _ = any_spawner::Executor::init_tokio();
        let (arrivals, shards, workers) = (TaskTracker::new(), TaskTracker::new(), TaskTracker::new());
        let (stopping, idle) = (CancellationToken::new(), CancellationToken::new());

        let places = Places::share_out(config.max_connections)?;
        let database = Database::open(&config.data.directory)?;
        let store = Store::new(database.clone());
        let rooms = Rooms::new(store.clone()).with_seats(config.max_connections_per_room as usize);
        let (journal, writer) = Journal::open(database, rooms.clone());
        let (seats, lobby) = (Seats::new(config, places), Lobby::new(places.sockets + places.requests));
        let (metrics, exporter) = config.metrics.as_ref().map(|_| Metrics::measured()).unzip();
        let metrics = metrics.unwrap_or_default();
        workers.spawn(writer.measured(metrics.journal.clone()).run());
        workers.spawn(rooms.clone().announce_people(idle.clone()));
        workers.spawn(rooms.clone().sweep(idle.clone()));

        let metrics_router = exporter.map(|exporter| {
            workers.spawn(exporter.clone().keep_up(idle.clone()));
            metrics_router(Scraped { exporter, seats: seats.clone(), lobby: lobby.clone(), rooms: rooms.clone() })
        });
        let chat = Chat::new(People::new(config.limits()), rooms, store, journal);
        let (delivery, _threads) =
            Delivery::start(&chat, &metrics.delivery, config.delivery_threads(), &shards, &stopping)?;
        let site = Site::new(chat, config, seats, metrics, delivery, arrivals.clone(), stopping.clone());
        let router = web::router(site);
        let (metrics, metrics_entrance) = (metrics_router, None);
        Ok(Server { router, lobby, metrics, metrics_entrance, arrivals, shards, workers, stopping, idle, _threads })
    }

    /// Answers `/metrics` there, for as long as it serves. Without `--metrics` there is nothing to answer.
    pub fn show_metrics_at(self, entrance: Entrance) -> Server {
        Server { metrics_entrance: Some(entrance), ..self }
    }

    /// Serves until [`Stop::stop`] is called, then until every socket has said goodbye and everything accepted is kept.
    pub async fn serve<L: Listener<Addr: Peer>>(self, listener: L) {
        if let (Some(entrance), Some(router)) = (self.metrics_entrance, self.metrics) {
            self.workers.spawn(answer(entrance, Lobby::new(SCRAPERS), router, self.idle.clone()));
        }
        answer(listener, self.lobby, self.router, self.stopping).await;
        gone(&self.arrivals).await;
        // With the router gone nobody comes to the shards any more: they end when their last socket has said goodbye.
        gone(&self.shards).await;
        // And with them the journal has nobody who writes: its task ends when its queue is empty.
        self.idle.cancel();
        gone(&self.workers).await;
    }

    /// A handle that stops the server.
    pub fn stop_handle(&self) -> Stop {
        Stop(self.stopping.clone())
    }
}

/// Answers whoever comes, until `stopping` is cancelled and the last one has got their answer.
async fn answer<L: Listener<Addr: Peer>>(mut listener: L, lobby: Lobby, router: Router, stopping: CancellationToken) {
    let requests = TaskTracker::new();
    let mut next = async || {
        let (io, peer) = listener.accept().await;
        (io, peer.address(), lobby.place().await)
    };
    while let Some((io, peer, place)) = stopping.run_until_cancelled(next()).await {
        requests.spawn(serve_connection(io, peer, place.taken(), router.clone(), stopping.clone()));
    }
    drop(listener);
    requests.close();
    requests.wait().await;
}

/// Stops a server. Cloning is cheap.
#[derive(Clone)]
pub struct Stop(CancellationToken);

impl Stop {
    /// Lets nobody in any more and says goodbye to everybody; [`Server::serve`] returns when that is done.
    pub fn stop(&self) {
        self.0.cancel();
    }
}

async fn gone(tracker: &TaskTracker) {
    tracker.close();
    tracker.wait().await;
}
