//! Identities and positions. Each has its own type, so that none can stand in for another.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// An event's position in its room's log: 1, 2, 3 … without gaps. Zero is the position before the first event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first event of a room.
    pub const ZERO: Seq = Seq(0);

    /// The position that follows this one.
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }

    /// The position before this one; zero stays zero.
    pub fn previous(self) -> Seq {
        Seq(self.0.saturating_sub(1))
    }

    /// How many events lie after `earlier`, up to and including this one.
    pub fn distance_from(self, earlier: Seq) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identity that a message's author chose for it: 26 ASCII letters and digits, by custom a
/// [ULID](https://github.com/ulid/spec). It is compared byte by byte and never interpreted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; MessageId::LENGTH]);

impl MessageId {
    /// The length of an id, in bytes.
    pub const LENGTH: usize = 26;

    /// A ULID of the time (milliseconds since 1970, UTC) and 80 random bits.
    pub fn new(millis: u64, random: u128) -> MessageId {
        let mut text = [0; MessageId::LENGTH];
        ulid::Ulid::from_parts(millis, random).array_to_str(&mut text);
        MessageId(text)
    }

    /// The id as it travels.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a MessageId holds ASCII only")
    }
}

/// An id that is not 26 ASCII letters and digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an Id has 26 letters and digits")]
pub struct BadId;

impl FromStr for MessageId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<MessageId, BadId> {
        let bytes: [u8; MessageId::LENGTH] = text.as_bytes().try_into().map_err(|_| BadId)?;
        if bytes.iter().all(u8::is_ascii_alphanumeric) { Ok(MessageId(bytes)) } else { Err(BadId) }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<MessageId, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The identity of one open socket (`WSID`), given by the server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SocketId(pub Arc<str>);

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which life of a room's log a [`Seq`] belongs to. Positions of different epochs have nothing to do with each
/// other. Opaque, at most [`Epoch::MAX_BYTES`] long.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub Arc<str>);

impl Epoch {
    /// The longest epoch that is read from a client.
    pub const MAX_BYTES: usize = 64;
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_26_letters_and_digits_and_comes_back_as_it_went() {
        let id = MessageId::new(1_764_000_000_000, 42);
        assert_eq!(id.as_str().len(), 26);
        assert_eq!(id.as_str().parse(), Ok(id));
        for bad in
            ["", "01JD", "01JDABCDEFGHJKMNPQRSTVWXY", "01JDABCDEFGHJKMNPQRSTVWXYZ0", "01JDABCDEFGHJKMNPQRSTVWX-Z"]
        {
            assert_eq!(bad.parse::<MessageId>(), Err(BadId), "{bad}");
        }
    }

    #[test]
    fn positions_count_from_zero() {
        assert_eq!(Seq::ZERO.next(), Seq(1));
        assert_eq!(Seq::ZERO.previous(), Seq::ZERO);
        assert_eq!(Seq(7).distance_from(Seq(3)), 4);
        assert_eq!(Seq(3).distance_from(Seq(7)), 0);
    }
}
