//! Unicode normalisation from the browser, which has the tables already.

/// The text in Unicode normalisation form C (UAX #15).
pub(super) fn nfc(text: &str) -> String {
    js_sys::JsString::from(text).normalize("NFC").into()
}
