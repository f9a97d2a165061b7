//! The pages that the server sends: one file each.

mod document;
mod room;

pub use crate::client::first_page::{RoomPage, Theme};
pub use document::{SiteFiles, document, error_document, no_such_message_document};
