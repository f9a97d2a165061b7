//! WebSockets beside a library that others trust, and as an echo that anyone can talk to.

#[path = "../../examples/echo.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod echo;

mod as_tungstenite;
mod meaning;
mod opening;
mod talk;
