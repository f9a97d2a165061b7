//! The browser's clock, its chance, and its way to write times. None of it is for a component's body.

use crate::protocol::{MessageId, Timestamp};
use js_sys::{Array, Date, Function, Intl, Math, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

thread_local! {
    /// Making a formatter is slow, using it is not.
    static TIME_OF_DAY: Function = time_of_day();
}

/// Milliseconds since 1970-01-01 00:00 UTC by the browser's clock.
pub(crate) fn now() -> u64 {
    Date::now() as u64
}

/// A number from 0 to 1.
pub(crate) fn random() -> f64 {
    Math::random()
}

/// A fresh identity for a message.
pub(crate) fn new_message_id() -> MessageId {
    const BITS: f64 = (1_u64 << 48) as f64;
    let random = || (Math::random() * BITS) as u128;
    MessageId::new(now(), random() << 48 | random())
}

pub(super) fn date(moment: Timestamp) -> Date {
    Date::new(&JsValue::from_f64(moment.0 as f64))
}

pub(super) fn local_time(moment: Timestamp) -> String {
    let written = TIME_OF_DAY.with(|format| format.call1(&JsValue::NULL, &date(moment)));
    written.ok().and_then(|time| time.as_string()).unwrap_or_default()
}

fn time_of_day() -> Function {
    let options = Object::new();
    for part in ["hour", "minute"] {
        // Setting a property of a plain object cannot fail.
        let _ = Reflect::set(&options, &part.into(), &"2-digit".into());
    }
    Intl::DateTimeFormat::new(&Array::new(), options.unchecked_ref()).format()
}
