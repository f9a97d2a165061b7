//! What the hand-over between threads is made of. The model checker brings its own (`tests/hand_over.rs`).

pub(super) use futures::task::AtomicWaker;
pub(super) use parking_lot::Mutex;
pub(super) use std::sync::atomic::{AtomicBool, Ordering};
