//! The pages that the server sends: one file each.

mod document;
mod room;

pub(crate) use document::room_title;
pub use document::{SiteFiles, document, error_document};
pub use room::{RoomPage, Theme};
