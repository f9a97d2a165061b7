//! What both ends of Taproom agree on ([`protocol`]), and what the reader sees.

pub mod backend;
#[cfg(feature = "hydrate")]
pub mod browser;
pub mod client;
mod components;
pub mod pages;
pub mod protocol;

pub use backend::Backend;
pub use pages::{RoomPage, SiteFiles, Theme, document, error_document};
