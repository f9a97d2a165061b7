//! Everybody comes at once: 9,000 connect, are let in and get the last page, beside Bun's bare upgrade.

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
    plan::{Names, Plan},
    runs,
};
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// Who comes.
const CONNECTIONS: usize = 9_000;

/// Messages that everybody gets first.
const PAGE: u64 = 50;

/// Messages that were said before anybody came, at [`BEFORE_RATE`] a second.
const BEFORE: u64 = 60;
/// See [`BEFORE`].
const BEFORE_RATE: f64 = 200.0;

/// The page is waited for so long after everybody is in.
const PAGE_DEADLINE: Duration = Duration::from_secs(20);

/// One server's storm, run by run.
struct Figures {
    peer: Peer,
    /// Microseconds of CPU for each, until everybody has the page.
    micros: Samples,
    /// The same until the server has nothing left to do: everybody is told about everybody.
    micros_told: Samples,
    seconds: Samples,
    faults: Faults,
}

/// Everything that was found.
pub(super) struct Storms {
    peers: Vec<Figures>,
}

/// Lets everybody come to every server, in turn.
pub(super) fn measure(bars: &Bars, beginnings: &mut Beginnings) -> Result<Storms> {
    let mut peers: Vec<Figures> = bars.peers().into_iter().map(Figures::none).collect();
    for run in 1..=bars.runs() {
        for figures in &mut peers {
            let (of, load) = (bars.runs(), accounting::load_average());
            eprintln!("run {run} of {of}: everybody comes, {}; load average {load}", figures.peer);
            if let Err(error) = figures.run(&bars.programs, beginnings) {
                figures.faults.add(Faults::broken(&error));
            }
        }
    }
    Ok(Storms { peers })
}

impl Figures {
    fn none(peer: Peer) -> Figures {
        let (micros, micros_told, seconds) = Default::default();
        Figures { peer, micros, micros_told, seconds, faults: Faults::default() }
    }

    fn run(&mut self, programs: &Programs, beginnings: &mut Beginnings) -> Result<()> {
        let server = Server::start(&self.peer, programs)?;
        let keeps = self.peer == Peer::Taproom;
        if keeps {
            beginnings.add(server.started);
        }
        let _author = say_before(&server)?;
        let account = server.account.as_ref().context("this program started the server")?;
        let after = keeps.then_some(BEFORE - PAGE);
        let plan = Plan { names: Names::Named, after, ..Plan::of(CONNECTIONS) };
        let mut crowd = Crowd::new(server.door.clone(), plan)?;

        let (begun, before) = (Instant::now(), account.cpu()?);
        crowd.grow_to(CONNECTIONS)?;
        let page = if keeps { CONNECTIONS * PAGE as usize } else { 0 };
        listen_until(&mut crowd, page)?;
        let (seconds, until_page) = (begun.elapsed().as_secs_f64(), account.cpu()? - before);
        runs::settle(&mut crowd, Some(account))?;
        let until_told = account.cpu()? - before;

        let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / CONNECTIONS as f64;
        self.micros.add(micros(until_page));
        self.micros_told.add(micros(until_told));
        self.seconds.add(seconds);
        self.faults.add(crowd.tally().faults(page, 0));
        drop(server);
        Ok(())
    }
}

/// Somebody is there already, and has said something.
fn say_before(server: &Server) -> Result<Crowd> {
    let duration = Duration::from_secs_f64(BEFORE as f64 / BEFORE_RATE);
    let plan = Plan { rate: BEFORE_RATE, duration, ..Plan::of(1) };
    let mut author = Crowd::new(server.door.clone(), plan.clone())?;
    author.grow_to(1)?;
    load::put(&mut author, &plan, None)?;
    Ok(author)
}

fn listen_until(crowd: &mut Crowd, deliveries: usize) -> Result<()> {
    let begun = Instant::now();
    while crowd.tally().arrived() < deliveries && begun.elapsed() < PAGE_DEADLINE {
        crowd.listen(Duration::from_millis(50))?;
    }
    Ok(())
}

impl Storms {
    pub(super) fn tell(&self, verdicts: &mut Verdicts) {
        println!(
            "\n9,000 come at once; at Taproom each gets the last {PAGE} messages, at the others the Status alone\n"
        );
        let columns =
            ["server", "CPU for each, µs", "and until all is told, µs", "time, s", "lost, doubled, reordered"];
        let mut table = Table::with(&columns);
        for Figures { peer, micros, micros_told, seconds, faults } in &self.peers {
            table.row([peer.to_string(), micros.show(1), micros_told.show(1), seconds.show(2), faults.to_string()]);
            verdicts.blame(&format!("everybody comes, {peer}"), faults);
        }
        print!("{table}");
        let of = |wanted: Peer| self.peers.iter().find(|figures| figures.peer == wanted);
        let Some((ours, buns)) = of(Peer::Taproom).zip(of(Peer::Bun)) else { return };
        let ratio = ours.micros.median().zip(buns.micros.median()).map(|(ours, buns)| ours / buns);
        let faults = [("taproom", &ours.faults), ("bun", &buns.faults)];
        verdicts.at_most_if_whole(
            "9,000 connect, join, get the last page",
            ratio,
            "× Bun's bare connect",
            Some(2.0),
            &faults,
        );
    }
}
