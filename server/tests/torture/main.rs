//! What the log promises, proved on the real binary in a process of its own: killed, stopped, copied, all under load.
//!
//! `cargo xtask torture` repeats the kills at full length; `docs/reliability.md` has the figures.

mod backup;
mod child;
mod command_line;
mod crowd;
mod gateway;
mod judge;
mod kills;
mod order;
mod person;
mod resends;
mod restarts;
#[allow(dead_code, unused_imports, reason = "the tests of the front door use the rest")]
#[path = "../support/mod.rs"]
mod support;

use std::{env, str::FromStr};

/// One heavy test at a time: they measure, and the machine may be small.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A number from the environment, for runs that are longer than the daily ones.
fn number<T: FromStr>(variable: &str) -> Option<T> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {value:?}")))
}
