//! Open sockets: who is behind, who gets which bytes, and when a socket has to end.

mod connection;
mod ending;
mod heartbeat;
mod transport;

pub(crate) use connection::{Arrival, Connection};
pub(crate) use transport::Transport;
