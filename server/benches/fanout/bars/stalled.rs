//! What some who read nothing do to the others: the same load on the same connections, before and after they stall.

use super::{
    Bars, Beginnings,
    figures::{Samples, Table},
    verdicts::Verdicts,
};
use crate::{
    accounting,
    crowd::Crowd,
    faults::Faults,
    load,
    peer::{Peer, Programs, Server},
    plan::Plan,
    runs::{self, millis},
};
use anyhow::Result;
use std::time::Duration;

/// Who is there.
const CONNECTIONS: usize = 9_000;

/// Who of them reads nothing: 5 %.
const STALLED: usize = CONNECTIONS / 20;

/// Messages that fill the buffers of those who stall, at [`FILLING_RATE`] a second.
const FILLING: usize = 200;
/// See [`FILLING`].
const FILLING_RATE: f64 = 100.0;

/// Everything that was found.
#[derive(Default)]
pub(super) struct Stalls {
    p99_before: Samples,
    p99_after: Samples,
    ratio: Samples,
    faults: Faults,
}

/// Measures it as often as memory: both loads are in one run.
pub(super) fn measure(bars: &Bars, beginnings: &mut Beginnings) -> Result<Stalls> {
    let mut stalls = Stalls::default();
    let seconds = if bars.quick { 3 } else { 12 };
    for run in 1..=bars.memory_runs() {
        eprintln!("run {run} of {}: 5 % stall; load average {}", bars.memory_runs(), accounting::load_average());
        if let Err(error) = stalls.run(&bars.programs, Duration::from_secs(seconds), beginnings) {
            stalls.faults.add(Faults::broken(&error));
        }
    }
    Ok(stalls)
}

impl Stalls {
    fn run(&mut self, programs: &Programs, duration: Duration, beginnings: &mut Beginnings) -> Result<()> {
        let server = Server::start(&Peer::Taproom, programs)?;
        beginnings.add(server.started);
        let stalled = Plan { senders: 16, rate: 3.0, stalled: STALLED, duration, ..Plan::of(CONNECTIONS) };
        let everybody = Plan { stalled: 0, ..stalled.clone() };
        let filling = Plan {
            rate: FILLING_RATE,
            duration: Duration::from_secs_f64(FILLING as f64 / FILLING_RATE),
            ..stalled.clone()
        };
        let mut crowd = Crowd::new(server.door.clone(), stalled.clone())?;
        crowd.grow_to(CONNECTIONS)?;
        runs::settle(&mut crowd, server.account.as_ref())?;

        let before = self.p99(&mut crowd, &everybody, &server)?;
        for reader in CONNECTIONS - STALLED..CONNECTIONS {
            crowd.stall(reader)?;
        }
        self.p99(&mut crowd, &filling, &server)?;
        runs::settle(&mut crowd, server.account.as_ref())?;
        let after = self.p99(&mut crowd, &stalled, &server)?;

        self.p99_before.add(before);
        self.p99_after.add(after);
        self.ratio.add(after / before);
        drop(server);
        Ok(())
    }

    /// Puts a load on the server. Milliseconds that all but a hundredth of its deliveries took at most.
    fn p99(&mut self, crowd: &mut Crowd, plan: &Plan, server: &Server) -> Result<f64> {
        load::put(crowd, plan, server.account.as_ref())?;
        self.faults.add(crowd.tally().faults(plan.deliveries(), plan.messages()));
        Ok(millis(crowd.tally().latency.value_at_quantile(0.99)))
    }

    pub(super) fn tell(&self, verdicts: &mut Verdicts) {
        println!("\n9,000 in one room, 3/s, of whom {STALLED} stop reading: the others' deliveries\n");
        let mut table = Table::with(&["p99 before, ms", "p99 after, ms", "ratio", "lost, doubled, reordered"]);
        let samples = [self.p99_before.show(1), self.p99_after.show(1), self.ratio.show(2)];
        table.row(samples.into_iter().chain([self.faults.to_string()]));
        print!("{table}");
        verdicts.blame("5 % stall", &self.faults);
        let faults = [("taproom", &self.faults)];
        verdicts.at_most_if_whole("5 % stall, the others' p99", self.ratio.median(), "×", Some(1.1), &faults);
    }
}
