//! WebSockets as an echo that anyone can talk to.

#[path = "../../examples/echo.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod echo;

mod opening;
mod talk;
