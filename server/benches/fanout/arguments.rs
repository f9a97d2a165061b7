//! What may be asked of the benchmark.

use crate::{
    accounting,
    bars::Bars,
    peer::{Peer, Programs},
    plan::{Names, Plan, Presence},
};
use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use std::time::Duration;

/// Files that are open besides the connections.
const OTHER_FILES: usize = 64;

/// Open-loop load on a Taproom server. A message is due at its planned time and its latency counts from there, so a
/// server that falls behind cannot slow the load down. Ends with 1 when anything was lost, doubled, reordered or
/// refused, and with 2 when the load could not be run
#[derive(Debug, Parser)]
#[command(name = "fanout", bin_name = "cargo bench --package server --bench fanout --", max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) all: Option<All>,

    /// Connections in all; every one of them reads
    #[arg(long, default_value_t = 2_000, value_name = "NUMBER")]
    pub(crate) connections: usize,

    /// Rooms that the connections are spread over
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) rooms: usize,

    /// Messages a second, in all rooms together
    #[arg(long, default_value_t = 20.0, value_name = "NUMBER")]
    pub(crate) rate: f64,

    /// Bytes of text in a message: 18 to 8000
    #[arg(long, default_value_t = 50, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(Plan::MIN_PAYLOAD..=8_000))]
    pub(crate) payload: u32,

    /// How long to send for
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,

    /// Connections that also send, in turn; rounded up to as many in each room
    #[arg(long, default_value_t = 16, value_name = "NUMBER")]
    pub(crate) senders: usize,

    /// Measure connections that say nothing: memory for each, from --idle-from to --connections, and after 50 messages
    /// to everybody
    #[arg(long, conflicts_with = "url")]
    pub(crate) idle: bool,

    /// The first of the two numbers of connections whose memory --idle compares
    #[arg(long, default_value_t = 1_000, value_name = "NUMBER")]
    pub(crate) idle_from: usize,

    /// Do all of it so many times, each with a fresh server, and print the medians too
    #[arg(long, default_value_t = 1, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,

    /// Do not measure bare sockets beside the server
    #[arg(long)]
    pub(crate) no_floor: bool,

    /// Which server: taproom, bun (the same chat there), or a program that speaks as Bun's does and prints `NAME is
    /// ready: URL`
    #[arg(long, default_value_t = Peer::Taproom, value_name = "NAME", conflicts_with = "url")]
    pub(crate) peer: Peer,

    #[command(flatten)]
    pub(crate) programs: Programs,

    /// Use a server that runs already, such as http://127.0.0.1:3000. Its limit for one person's messages holds for
    /// each sender
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// The process of the server of --url, if it is on this machine: its CPU and memory are read
    #[arg(long, requires = "url", value_name = "PID")]
    pub(crate) pid: Option<u32>,

    /// What `cargo bench` passes to every benchmark
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

/// More than one measurement in a run.
#[derive(Debug, Subcommand)]
pub(crate) enum All {
    /// Measure every bar that concerns delivery, Taproom beside Bun, and print tables with ratios. Ends with 1 when
    /// anything was lost, doubled or reordered, and with 2 when something could not be run
    Bars(Bars),
}

impl Arguments {
    /// Says what does not go together, and how it would.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(self.rooms >= 1, "--rooms is at least 1");
        ensure!(self.rate > 0.0 && self.rate <= 1e6, "--rate is more than 0, and at most 1000000");
        ensure!(
            self.rooms <= self.connections,
            "{} rooms have no reader; take at least as many --connections as --rooms",
            self.rooms - self.connections.min(self.rooms)
        );
        ensure!(
            !self.idle || self.idle_from < self.connections,
            "--idle compares --idle-from with --connections: {} is not less than {}",
            self.idle_from,
            self.connections
        );
        self.check_files()
    }

    /// Bare sockets have both their ends in this process.
    fn check_files(&self) -> Result<()> {
        let ends = if self.no_floor || self.idle { 1 } else { 2 };
        let (needed, allowed) = (ends * self.connections + OTHER_FILES, accounting::raise_open_files_limit());
        ensure!(
            needed <= allowed,
            "{needed} open files are needed and {allowed} are allowed; try ulimit -n {needed}, fewer --connections, or \
             --no-floor"
        );
        Ok(())
    }

    pub(crate) fn plan(&self) -> Plan {
        let senders = self.senders.clamp(1, self.connections).next_multiple_of(self.rooms);
        Plan {
            connections: self.connections,
            rooms: self.rooms,
            presence: Presence::OneRoom,
            names: Names::Guests,
            after: None,
            stalled: 0,
            senders: if senders > self.connections { self.rooms } else { senders },
            rate: self.rate,
            payload: self.payload as usize,
            duration: Duration::from_secs(self.seconds),
        }
    }

    /// What is measured, in a line.
    pub(crate) fn headline(&self) -> String {
        let Arguments { connections, rooms, rate, payload, seconds, .. } = self;
        if self.idle {
            return format!("{} to {connections} idle connections, {rooms} room(s)", self.idle_from);
        }
        let senders = self.plan().senders;
        format!(
            "{connections} connections, {rooms} room(s), {rate} messages/s of {payload} bytes from {senders} senders, \
             {seconds} s"
        )
    }
}
