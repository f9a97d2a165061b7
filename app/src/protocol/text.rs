//! What somebody said: bounded, visible, and otherwise exactly as it was typed.

use super::visible;
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// Standard alphabet; padding is written, and accepted but not required.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The text of a message: at least one visible character, at most [`Text::MAX_BYTES`] of UTF-8.
/// It travels as base64, so that no byte of it needs care on the way. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text(Arc<str>);

/// Why a text was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// `Message` is not base64.
    #[error("Message is not base64")]
    NotBase64,
    /// There is nothing to see in it.
    #[error("a message needs at least one visible character")]
    Empty,
    /// It has more bytes than [`Text::MAX_BYTES`]; the number is how many.
    #[error("a message has at most {max} bytes, this one has {0}", max = Text::MAX_BYTES)]
    TooLong(usize),
}

impl Text {
    /// The longest text, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 8_000;

    /// Accepts a text as it was typed.
    pub fn parse(text: &str) -> Result<Text, BadText> {
        if text.len() > Text::MAX_BYTES {
            return Err(BadText::TooLong(text.len()));
        }
        if text.chars().any(visible::is_visible) { Ok(Text(text.into())) } else { Err(BadText::Empty) }
    }

    /// Reads the `Message` field: base64 of UTF-8, or of Latin-1 where the bytes are not UTF-8, which is what a
    /// browser's `btoa(text)` makes.
    pub fn from_base64(encoded: &str) -> Result<Text, BadText> {
        let bytes = BASE64.decode(encoded).map_err(|_| BadText::NotBase64)?;
        match String::from_utf8(bytes) {
            Ok(text) => Text::parse(&text),
            Err(latin1) => Text::parse(&latin1.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>()),
        }
    }

    /// Writes the `Message` field.
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.0.as_bytes())
    }

    /// The text as it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The length only: what people say stays out of logs.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        let encoded = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Text::from_base64(&encoded).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tutorials_message_is_read() {
        assert_eq!(Text::from_base64("aGVsbG8=").expect("hello").as_str(), "hello");
        assert_eq!(Text::from_base64("aGVsbG8").expect("padding is not required").as_str(), "hello");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_latin1() {
        assert_eq!(Text::from_base64("Y2Fm6Q==").expect("btoa('café')").as_str(), "café");
        assert_eq!(Text::from_base64("/w==").expect("btoa('ÿ')").as_str(), "ÿ");
    }

    #[test]
    fn the_limit_is_8000_bytes_of_utf8() {
        assert!(Text::parse(&"a".repeat(8_000)).is_ok());
        assert_eq!(Text::parse(&"a".repeat(8_001)), Err(BadText::TooLong(8_001)));
        assert_eq!(Text::parse(&"é".repeat(4_001)), Err(BadText::TooLong(8_002)));
    }

    #[test]
    fn something_must_be_visible() {
        for nothing in ["", " ", "\n\t", "\u{200b}", "\u{feff}\u{202e}", "\u{3164}", "\u{00ad}"] {
            assert_eq!(Text::parse(nothing), Err(BadText::Empty), "{nothing:?}");
        }
        for something in [".", " x ", "👩‍👩‍👧", "\u{202e}abc", "ก็"] {
            assert!(Text::parse(something).is_ok(), "{something:?}");
        }
    }

    #[test]
    fn what_is_not_base64_is_said_to_be_so() {
        for bad in ["?", "aGVsbG8=\n", "aGVsbG8==", "a-_b", "é"] {
            assert_eq!(Text::from_base64(bad), Err(BadText::NotBase64), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_arrives_as_it_was_typed(typed in "\\PC{1,200}") {
            if let Ok(text) = Text::parse(&typed) {
                let read = Text::from_base64(&text.to_base64()).expect("what we write we read");
                prop_assert_eq!(read.as_str(), typed);
            }
        }

        #[test]
        fn no_bytes_make_reading_panic(encoded in ".{0,300}") {
            let _ = Text::from_base64(&encoded);
        }
    }
}
