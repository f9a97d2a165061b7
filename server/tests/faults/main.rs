//! What the journal promises when power, disk and files fail, each row of the fault table in a file of its own.

mod bare;
mod damage;
mod directory;
mod disk;
mod errors;
mod locked;
mod log;
mod machine;
mod power;
mod slow;
mod space;
#[allow(dead_code, unused_imports, reason = "the tests of the front door use the rest")]
#[path = "../support/mod.rs"]
mod support;
mod talker;
