//! What the reader sees, one component per file.
#![allow(unreachable_pub, reason = "what `#[component]` makes of a private function is public, in a private module")]

mod app;
mod chat_log;
mod composer;
mod connection_notice;
mod connection_report;
mod dom;
mod gap_row;
mod headline;
mod in_steps;
mod input_line;
mod keys;
mod log_row;
mod message_item;
mod message_menu;
mod name_form;
mod pill;
mod room_list;
mod scroll;
mod shortcuts;
mod theme_switch;
mod toasts;
mod user_list;
mod version_notice;

pub(crate) use app::{App, room_title};
