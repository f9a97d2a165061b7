//! Open-loop load on a server: whether every message reaches everybody once and in order, how late, and at what cost.
//!
//! `cargo bench --package server --bench fanout -- --help` tells the arguments, `docs/performance.md` the method.

#[path = "fanout/accounting.rs"]
mod accounting;
#[path = "fanout/arguments.rs"]
mod arguments;
#[path = "fanout/bare.rs"]
mod bare;
#[path = "fanout/bars.rs"]
mod bars;
#[path = "fanout/crowd.rs"]
mod crowd;
#[path = "fanout/disk.rs"]
mod disk;
#[path = "fanout/door.rs"]
mod door;
#[path = "fanout/faults.rs"]
mod faults;
#[path = "fanout/frames.rs"]
mod frames;
#[path = "fanout/known.rs"]
mod known;
#[path = "fanout/load.rs"]
mod load;
#[path = "fanout/peer.rs"]
mod peer;
#[path = "fanout/plan.rs"]
mod plan;
#[path = "fanout/report.rs"]
mod report;
#[path = "fanout/runs.rs"]
mod runs;
#[path = "fanout/sequence.rs"]
mod sequence;

use anyhow::Result;
use arguments::{All, Arguments};
use clap::Parser;
use report::Report;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_well = match &arguments.all {
        Some(All::Bars(bars)) => bars.measure(),
        None => measure(&arguments),
    };
    match is_well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fanout: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// One measurement, as often as is asked for: whether everything arrived once and in order.
fn measure(arguments: &Arguments) -> Result<bool> {
    arguments.check()?;
    let mut report = Report::new(arguments.headline());
    for run in 1..=arguments.repeat {
        eprintln!("run {run} of {}; load average {}", arguments.repeat, accounting::load_average());
        report.begin_run();
        if arguments.idle {
            runs::idle(arguments, &mut report)?;
        } else {
            runs::load(arguments, &mut report)?;
        }
    }
    print!("{report}");
    Ok(report.is_clean())
}
