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
pub mod people;
pub mod rooms;
pub mod store;
pub mod web;
pub mod websocket;

use app::protocol::Timestamp;
use axum::{Router, serve::Listener};
use chat::Chat;
use config::Serve;
use files::{Places, TooFewFiles};
use journal::Journal;
use people::People;
use rooms::Rooms;
use std::time::SystemTime;
use store::{Database, OpenError, Store};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
pub use web::{Entrance, Peer};
use web::{Lobby, Site};

/// The server's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::of(SystemTime::now())
}

/// A running Taproom: made once, served on a listener, shut down.
pub struct Server {
    router: Router,
    /// Connections that ask over HTTP.
    lobby: Lobby,
    /// Open sockets.
    connections: TaskTracker,
    /// The journal's writer and the rooms' housekeepers.
    workers: TaskTracker,
    /// Cancelled when the server is to stop: nobody is let in, sockets say goodbye.
    stopping: CancellationToken,
    /// Cancelled when the last socket is gone.
    idle: CancellationToken,
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
}

impl Server {
    /// Opens the log and starts the tasks that keep it; fails where the data directory cannot be used, or where there
    /// is no place for as many connections as are wanted. Must be called on a tokio runtime.
    pub fn open(config: &Serve) -> Result<Server, NotOpened> {
        // The pages' own runtime. A second server in one process finds it there already.
        let _ = any_spawner::Executor::init_tokio();
        let (connections, workers) = (TaskTracker::new(), TaskTracker::new());
        let (stopping, idle) = (CancellationToken::new(), CancellationToken::new());

        let places = Places::share_out(config.max_connections)?;
        let database = Database::open(&config.data.directory)?;
        let store = Store::new(database.clone());
        let rooms = Rooms::new(store.clone()).with_seats(config.max_connections_per_room as usize);
        let (journal, writer) = Journal::open(database, rooms.clone());
        workers.spawn(writer.run());
        workers.spawn(rooms.clone().announce_people(idle.clone()));
        workers.spawn(rooms.clone().sweep(idle.clone()));

        let chat = Chat::new(People::new(config.limits()), rooms, store, journal);
        let site = Site::new(chat, config, places, connections.clone(), stopping.clone());
        let lobby = Lobby::new(places.requests);
        Ok(Server { router: web::router(site), lobby, connections, workers, stopping, idle })
    }

    /// Serves until [`Stop::stop`] is called, then until every socket has said goodbye and everything accepted is kept.
    pub async fn serve<L: Listener<Addr: Peer>>(self, mut listener: L) {
        let requests = TaskTracker::new();
        let mut next = async || {
            let (io, peer) = listener.accept().await;
            (io, peer.address(), self.lobby.place().await)
        };
        while let Some((io, peer, place)) = self.stopping.run_until_cancelled(next()).await {
            let visit = place.taken();
            requests.spawn(web::serve_connection(io, peer, visit, self.router.clone(), self.stopping.clone()));
        }
        drop(listener);
        for tracker in [requests, self.connections] {
            tracker.close();
            tracker.wait().await;
        }
        // With the router gone the journal has no writers left: its task ends when its queue is empty.
        drop(self.router);
        self.idle.cancel();
        self.workers.close();
        self.workers.wait().await;
    }

    /// A handle that stops the server.
    pub fn stop_handle(&self) -> Stop {
        Stop(self.stopping.clone())
    }
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
