//! What both ends of Taproom agree on ([`protocol`]), and what the reader sees.

pub mod protocol;
