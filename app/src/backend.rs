//! What pages ask of the server while they are rendered. The server implements it; `app` never depends on the server.

use crate::protocol::{Page, RoomName, Seq, UserList};
use std::future::Future;

/// The log cannot be read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// The server as the pages see it.
pub trait Backend: Clone + Send + Sync + 'static {
    /// The newest `limit` events of a room, in `Seq` order.
    fn newest(&self, room: &RoomName, limit: usize) -> impl Future<Output = Result<Page, Unreadable>> + Send;

    /// About `limit` events of a room around a position, in `Seq` order. It is among them if the room has it.
    fn around(&self, room: &RoomName, seq: Seq, limit: usize) -> impl Future<Output = Result<Page, Unreadable>> + Send;

    /// Who is in the room now.
    fn present(&self, room: &RoomName) -> UserList;
}
