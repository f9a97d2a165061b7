//! The server's clock as it travels: RFC 3339, UTC, milliseconds.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// A moment in milliseconds since 1970-01-01 00:00 UTC. Written `2026-11-22T09:26:00.123Z`.
/// Shown to people; never used for order, which is [`Seq`](super::Seq)'s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The last moment that RFC 3339 can write: the end of the year 9999.
    pub(crate) const LAST: Timestamp = Timestamp(253_402_300_799_999);

    /// The moment that a system's clock shows. Times before 1970 read as 1970.
    pub fn of(time: SystemTime) -> Timestamp {
        let millis = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        Timestamp(u64::try_from(millis).unwrap_or(Timestamp::LAST.0))
    }

    /// Milliseconds from `earlier` to this moment; zero when it is later.
    pub fn millis_since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.min(Timestamp::LAST.0));
        humantime::format_rfc3339_millis(time).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map(Timestamp::of).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_with_milliseconds_in_utc() {
        let written = serde_json::to_string(&Timestamp(1_795_339_560_123)).expect("a string");
        assert_eq!(written, r#""2026-11-22T09:26:00.123Z""#);
        assert_eq!(serde_json::from_str::<Timestamp>(&written).expect("reads back"), Timestamp(1_795_339_560_123));
        assert!(serde_json::from_str::<Timestamp>(r#""yesterday""#).is_err());
        assert_eq!(Timestamp(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }
}
