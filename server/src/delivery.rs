//! Open sockets: who is behind, who gets which bytes, and when a socket has to end.

mod admission;
mod connection;
mod ending;
mod heartbeat;
mod pace;
mod seats;
mod transport;

pub(crate) use admission::Admission;
pub(crate) use connection::{Arrival, Connection};
pub(crate) use seats::{Household, NoSeat, Seats};
pub(crate) use transport::Transport;
