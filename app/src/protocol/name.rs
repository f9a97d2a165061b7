//! Names of people and of rooms: parsed once, by the same rules in browser and server.

use super::{nfc::nfc, visible};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// Why a name was not accepted. `what` is "nickname" or "room name".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing visible in it.
    #[error("a {what} needs at least one visible character")]
    Empty {
        /// What kind of name.
        what: &'static str,
    },
    /// More characters than allowed.
    #[error("a {what} has at most {max} characters")]
    TooLong {
        /// What kind of name.
        what: &'static str,
        /// The limit, in characters.
        max: usize,
    },
    /// A control character, a line break, a bidirectional override or an invisible character.
    #[error("a {what} can't contain control, direction or invisible characters")]
    Forbidden {
        /// What kind of name.
        what: &'static str,
    },
    /// It begins like a command.
    #[error("a {what} can't begin with /")]
    Slash {
        /// What kind of name.
        what: &'static str,
    },
}

fn parse(raw: &str, what: &'static str, max: usize) -> Result<Arc<str>, BadName> {
    // Normalising makes a text longer by a small factor only; this keeps the work bounded before it begins.
    if raw.len() > max * 64 {
        return Err(BadName::TooLong { what, max });
    }
    let name = nfc(raw.trim());
    if name.chars().any(visible::is_forbidden_in_name) {
        return Err(BadName::Forbidden { what });
    }
    if !name.chars().any(visible::is_visible) {
        return Err(BadName::Empty { what });
    }
    if name.starts_with('/') {
        return Err(BadName::Slash { what });
    }
    if name.chars().count() > max { Err(BadName::TooLong { what, max }) } else { Ok(name.into()) }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest name, in characters (Unicode scalar values, after normalisation).
            pub const MAX_CHARS: usize = $max;

            /// Trims and normalises (NFC) a name and accepts it, or says what is wrong with it.
            pub fn parse(raw: &str) -> Result<$name, BadName> {
                parse(raw, $what, $max).map($name)
            }

            /// The name as people see it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let raw = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                $name::parse(&raw).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type! {
    /// What a person is called: 1 to 32 characters. Unique among the people connected. Cloning is cheap.
    NickName, "nickname", 32
}

name_type! {
    /// What a room is called: 1 to 64 characters, upper and lower case different. Cloning is cheap.
    RoomName, "room name", 64
}

impl RoomName {
    /// The room that is meant when `?room=` is missing or blank, as in the tutorial.
    pub const DEFAULT: &'static str = "default";

    /// The room that a `?room=` parameter means.
    pub fn of_parameter(room: Option<&str>) -> Result<RoomName, BadName> {
        match room.map(str::trim) {
            None | Some("") => Ok(RoomName::default()),
            Some(name) => RoomName::parse(name),
        }
    }
}

impl Default for RoomName {
    fn default() -> RoomName {
        RoomName(RoomName::DEFAULT.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_trimmed_and_normalised() {
        assert_eq!(NickName::parse("  ada ").expect("trimmed").as_str(), "ada");
        assert_eq!(NickName::parse("e\u{301}").expect("composed").as_str(), "\u{e9}");
    }

    #[test]
    fn the_limits_are_32_and_64_characters() {
        assert!(NickName::parse(&"é".repeat(32)).is_ok());
        assert_eq!(NickName::parse(&"a".repeat(33)), Err(BadName::TooLong { what: "nickname", max: 32 }));
        assert!(RoomName::parse(&"房".repeat(64)).is_ok());
        assert_eq!(RoomName::parse(&"a".repeat(65)), Err(BadName::TooLong { what: "room name", max: 64 }));
        assert!(RoomName::parse(&"x".repeat(100_000)).is_err());
    }

    #[test]
    fn names_that_deceive_are_refused() {
        for bad in ["a\u{202e}b", "a\nb", "a\u{0}", "a\u{200b}b", "a\u{2028}b", "a\u{2066}b", "\u{feff}ab"] {
            assert_eq!(NickName::parse(bad), Err(BadName::Forbidden { what: "nickname" }), "{bad:?}");
        }
        assert_eq!(NickName::parse("/nick"), Err(BadName::Slash { what: "nickname" }));
        for empty in ["", "   ", "\u{200d}"] {
            assert_eq!(NickName::parse(empty), Err(BadName::Empty { what: "nickname" }), "{empty:?}");
        }
        assert!(NickName::parse("👩‍🚀 ada").is_ok());
    }

    #[test]
    fn no_room_and_a_blank_room_mean_the_default_room() {
        for blank in [None, Some(""), Some("  ")] {
            assert_eq!(RoomName::of_parameter(blank).expect("default").as_str(), "default");
        }
        assert_eq!(RoomName::of_parameter(Some("lounge")).expect("named").as_str(), "lounge");
    }

    proptest! {
        #[test]
        fn a_parsed_name_parses_to_itself(raw in ".{0,80}") {
            if let Ok(name) = RoomName::parse(&raw) {
                prop_assert_eq!(RoomName::parse(name.as_str()), Ok(name));
            }
        }
    }
}
