//! Unicode normalisation from a library's tables, for the server and for tests.

use unicode_normalization::UnicodeNormalization;

/// The text in Unicode normalisation form C (UAX #15).
pub(super) fn nfc(text: &str) -> String {
    text.nfc().collect()
}
