//! Any bytes, read in every way and beside tungstenite: `cargo +nightly fuzz run framing`, from the repository's root.
//! The tests run the same body over inputs of their own, so that it cannot rot.
#![no_main]

#[path = "../../server/tests/websocket/meaning.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod meaning;

libfuzzer_sys::fuzz_target!(|data: &[u8]| meaning::check(data));
