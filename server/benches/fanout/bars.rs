//! Every bar that concerns delivery, in one run: Taproom beside Bun, in turn.

#[path = "bars/churn.rs"]
mod churn;
#[path = "bars/figures.rs"]
mod figures;
#[path = "bars/loads.rs"]
mod loads;
#[path = "bars/memory.rs"]
mod memory;
#[path = "bars/picture.rs"]
mod picture;
#[path = "bars/stalled.rs"]
mod stalled;
#[path = "bars/storm.rs"]
mod storm;
#[path = "bars/verdicts.rs"]
mod verdicts;

use crate::{
    accounting,
    peer::{Peer, Programs, Started},
};
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use figures::Samples;
use std::{fs, path::PathBuf, time::Instant};
use verdicts::Verdicts;

/// Open files that the parts need: 9,000 connections, of bare sockets both ends, and some more.
const FILES: usize = 18_064;

/// More runs than these say nothing more about memory, which hardly varies.
const MEMORY_RUNS: u32 = 3;

/// What to measure, and how.
#[derive(Debug, Args)]
pub(crate) struct Bars {
    /// What to measure. Without it: everything but churn
    #[arg(value_enum, value_name = "PART")]
    parts: Vec<Part>,

    /// How often, in turn; medians are told
    #[arg(long, default_value_t = 5, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// Once and briefly, to see that everything works; the figures are worth little
    #[arg(long)]
    quick: bool,

    /// End with 1 when a bar is missed, too
    #[arg(long)]
    strict: bool,

    /// Draw what was measured, as SVG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,

    /// How long connections come and go in the part churn
    #[arg(long, default_value_t = 5.0, value_name = "MINUTES")]
    come_and_go: f64,

    /// Where the metrics of the server of --url are, such as http://127.0.0.1:9090/metrics: churn asks there for
    /// connections that the server still believes in
    #[arg(long, requires = "url", value_name = "URL")]
    metrics: Option<String>,

    /// Let churn use a server that runs already, such as http://127.0.0.1:3000
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// The process of the server of --url: its CPU and memory are read
    #[arg(long, requires = "url", value_name = "PID")]
    pid: Option<u32>,

    /// One more server to measure: a program that speaks as Bun's server does, and says `NAME is ready: URL`
    #[arg(long, hide = true, value_name = "PROGRAM")]
    beside: Vec<Peer>,

    #[command(flatten)]
    programs: Programs,
}

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// CPU and latency of a delivery under four loads
    Loads,
    /// Memory of a connection, idle and after a burst
    Memory,
    /// 9,000 connect, and get the last page
    Storm,
    /// What 5 % who read nothing do to the others
    Stalled,
    /// 9,000 come and go, stall and return for minutes
    Churn,
    /// All of these
    All,
}

/// How the empty servers of all parts began.
#[derive(Default)]
struct Beginnings {
    first_answer_millis: Samples,
    resident: Samples,
}

impl Beginnings {
    fn add(&mut self, started: Option<Started>) {
        if let Some(Started { first_answer, memory }) = started {
            self.first_answer_millis.add(first_answer.as_secs_f64() * 1e3);
            self.resident.add(memory.resident);
        }
    }
}

impl Bars {
    /// Measures, and prints tables. Whether all is well: everything arrived, and with `--strict` every bar holds.
    pub(crate) fn measure(&self) -> Result<bool> {
        let files = accounting::raise_open_files_limit();
        ensure!(files >= FILES, "{FILES} open files are needed and {files} are allowed; see ulimit -Hn");
        ensure!(
            self.picture.is_none() || self.wants(Part::Loads),
            "--picture draws the part loads, which is not asked for"
        );
        let begun = Instant::now();
        println!("{}; load average {}", self.headline(), accounting::load_average());
        let (mut verdicts, mut beginnings) = (Verdicts::default(), Beginnings::default());
        let loads = self.wants(Part::Loads).then(|| loads::measure(self, &mut beginnings)).transpose()?;
        if let Some(loads) = &loads {
            loads.tell(&mut verdicts);
        }
        let memory = self.wants(Part::Memory).then(|| memory::measure(self, &mut beginnings)).transpose()?;
        if let Some(memory) = &memory {
            memory.tell(&mut verdicts);
        }
        if self.wants(Part::Storm) {
            storm::measure(self, &mut beginnings)?.tell(&mut verdicts);
        }
        if self.wants(Part::Stalled) {
            stalled::measure(self, &mut beginnings)?.tell(&mut verdicts);
        }
        if self.wants(Part::Churn) {
            churn::measure(self)?.tell(&mut verdicts);
        }
        tell_beginnings(&beginnings, &mut verdicts);
        print!("{verdicts}");
        println!(
            "{:.0} minutes; load average at the end {}",
            begun.elapsed().as_secs_f64() / 60.0,
            accounting::load_average()
        );
        if let (Some(file), Some(loads)) = (&self.picture, &loads) {
            let picture = picture::draw(&loads.bars(), &memory.map(|memory| memory.bars()).unwrap_or_default());
            fs::write(file, picture).with_context(|| format!("write {}", file.display()))?;
        }
        Ok(verdicts.is_clean() && (!self.strict || verdicts.hold()))
    }

    fn headline(&self) -> String {
        let what =
            if self.quick { "briefly, which proves nothing".to_owned() } else { format!("{} runs", self.runs()) };
        format!("Taproom and its peers in turn, {what}")
    }

    fn wants(&self, part: Part) -> bool {
        match self.parts.as_slice() {
            [] => part != Part::Churn,
            parts => parts.contains(&part) || parts.contains(&Part::All),
        }
    }

    fn runs(&self) -> u32 {
        if self.quick { 1 } else { self.runs }
    }

    fn memory_runs(&self) -> u32 {
        self.runs().min(MEMORY_RUNS)
    }

    /// Everybody who is measured, in the order of their turns.
    fn peers(&self) -> Vec<Peer> {
        [Peer::Taproom, Peer::Bun].into_iter().chain(self.beside.iter().cloned()).collect()
    }
}

fn tell_beginnings(beginnings: &Beginnings, verdicts: &mut Verdicts) {
    let megabytes = beginnings.resident.median().map(|bytes| bytes / 1e6);
    verdicts.at_most("empty server, memory", megabytes, "MB", 15.0);
    verdicts.at_most("empty server, first answer after start", beginnings.first_answer_millis.median(), "ms", 100.0);
}
