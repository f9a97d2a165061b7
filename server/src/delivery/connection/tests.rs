//! What a connection takes of memory.

use super::*;

/// A connection with the box it is in and its stream, in bytes.
const CONNECTION_BYTES: usize = 472;

/// Its place in one room, in bytes.
pub(in crate::delivery) const PLACE_BYTES: usize = 104;

impl Connection {
    /// What it holds beside itself and what it shares with others, in bytes: the pages and rooms that it names count for
    /// nothing here, nor does its stream.
    pub(in crate::delivery) fn held_bytes(&self) -> usize {
        self.socket.held_bytes()
            + self.places_bytes()
            + self.in_flight.capacity() * size_of::<InFlight>()
            + self.unread.capacity()
    }

    /// That part of it which it holds for as long as it is in its rooms.
    pub(in crate::delivery) fn places_bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>()
    }

    /// What has come in and is not heard yet, in bytes.
    pub(in crate::delivery) fn unread_bytes(&self) -> usize {
        self.unread.len()
    }
}

#[test]
fn a_connection_is_no_larger_than_it_was() {
    // Whoever makes these larger pays for it 10,000 times. Rare things belong in a box.
    assert!(size_of::<Connection>() <= CONNECTION_BYTES, "{} bytes", size_of::<Connection>());
    assert!(size_of::<Place>() <= PLACE_BYTES, "{} bytes", size_of::<Place>());
}
