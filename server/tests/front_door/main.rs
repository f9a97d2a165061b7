//! The server's promises, each kept in a file of its own, through the front door: a real listener, real sockets.

mod bad_input;
mod crowded;
mod full;
mod half_open;
mod limits;
mod metrics;
mod names;
mod origin;
mod pipelined;
mod presence;
mod rates;
mod resend;
mod resume;
mod site;
mod slow_reader;
mod stop;
mod structure;
#[path = "../support/mod.rs"]
mod support;
mod text;
mod tutorial;
