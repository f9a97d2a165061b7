//! The server's side of a WebSocket (RFC 6455): how it opens, and what its bytes mean. Who owns the socket, when it is
//! read and what is said on it is decided elsewhere.

pub mod framing;
pub mod upgrade;
