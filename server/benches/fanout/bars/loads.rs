//! What a delivery costs and how late it is under four loads, beside Bun and bare sockets.

use super::{
    Bars, Beginnings,
    figures::{Samples, Table},
    picture,
    verdicts::Verdicts,
};
use crate::{
    accounting,
    crowd::Crowd,
    disk::Commits,
    faults::Faults,
    load,
    peer::{Peer, Programs, Server},
    plan::Plan,
    report::with_commas,
    runs::{self, millis},
};
use anyhow::Result;
use std::time::Duration;

/// Seconds of a load that is only tried.
const QUICK_SECONDS: u64 = 3;

/// Everybody in one room, and some of them talk.
#[derive(Debug, Clone, Copy)]
struct Shape {
    connections: usize,
    rate: f64,
    senders: usize,
    seconds: u64,
}

/// The loads of the bars. Seconds are chosen so that each has its share of the run.
const SHAPES: [Shape; 4] = [
    Shape { connections: 9_000, rate: 3.0, senders: 16, seconds: 15 },
    Shape { connections: 1_000, rate: 100.0, senders: 64, seconds: 10 },
    Shape { connections: 1_000, rate: 600.0, senders: 64, seconds: 10 },
    Shape { connections: 1_000, rate: 2_000.0, senders: 64, seconds: 8 },
];

impl Shape {
    fn plan(self, quick: bool) -> Plan {
        let Shape { connections, rate, senders, seconds } = self;
        let seconds = if quick { seconds.min(QUICK_SECONDS) } else { seconds };
        Plan { senders, rate, duration: Duration::from_secs(seconds), ..Plan::of(connections) }
    }

    fn name(self) -> String {
        format!("{} in one room, {}/s", with_commas(self.connections as u64), with_commas(self.rate as u64))
    }
}

/// Everything that was found.
pub(super) struct Loads {
    rows: Vec<Row>,
    commits: Commits,
}

/// One load on everybody.
struct Row {
    shape: Shape,
    floor_micros: Samples,
    peers: Vec<(Peer, Figures)>,
}

/// What one server did under one load, run by run.
#[derive(Default)]
struct Figures {
    micros: Samples,
    p50: Samples,
    p99: Samples,
    acknowledged_p50: Samples,
    acknowledged_p99: Samples,
    bytes: usize,
    faults: Faults,
    /// Percent of its time that the load's own reader was busy.
    reader: Samples,
    /// Milliseconds from a message's time until it was sent, at most.
    late: Samples,
    /// Percent of the machine that neither server nor load had.
    others: Samples,
}

/// Puts every load on every server, in turn.
pub(super) fn measure(bars: &Bars, beginnings: &mut Beginnings) -> Result<Loads> {
    let peers: Vec<Peer> = bars.peers();
    let figures = || peers.iter().map(|peer| (peer.clone(), Figures::default())).collect();
    let row = |shape| Row { shape, floor_micros: Samples::default(), peers: figures() };
    let mut loads = Loads { rows: SHAPES.map(row).into(), commits: Commits::none() };
    for run in 1..=bars.runs() {
        for row in &mut loads.rows {
            let plan = row.shape.plan(bars.quick);
            eprintln!(
                "run {run} of {}: {}; load average {}",
                bars.runs(),
                row.shape.name(),
                accounting::load_average()
            );
            row.floor_micros.add(runs::floor(&plan)?.micros_per_delivery);
            for (peer, figures) in &mut row.peers {
                loads.commits.measure()?;
                if let Err(error) = figures.run(peer, &bars.programs, &plan, beginnings) {
                    figures.faults.add(Faults::broken(&error));
                }
            }
        }
    }
    Ok(loads)
}

impl Figures {
    fn run(&mut self, peer: &Peer, programs: &Programs, plan: &Plan, beginnings: &mut Beginnings) -> Result<()> {
        eprintln!("  {peer}");
        let server = Server::start(peer, programs)?;
        if *peer == Peer::Taproom {
            beginnings.add(server.started);
        }
        let mut crowd = Crowd::new(server.door.clone(), plan.clone())?;
        crowd.grow_to(plan.connections)?;
        runs::settle(&mut crowd, server.account.as_ref())?;
        let load = load::put(&mut crowd, plan, server.account.as_ref())?;

        let tally = crowd.tally();
        self.faults.add(tally.faults(plan.deliveries(), plan.messages()));
        self.micros.add_if(load.server.map(|cpu| cpu.as_secs_f64() * 1e6 / plan.deliveries() as f64));
        self.p50.add(millis(tally.latency.value_at_quantile(0.50)));
        self.p99.add(millis(tally.latency.value_at_quantile(0.99)));
        self.acknowledged_p50.add(millis(tally.ack_latency.value_at_quantile(0.50)));
        self.acknowledged_p99.add(millis(tally.ack_latency.value_at_quantile(0.99)));
        self.bytes = tally.frame_bytes;
        self.reader.add(100.0 * load.reader.as_secs_f64() / load.time.as_secs_f64());
        self.late.add(load.latest_send.as_secs_f64() * 1e3);
        let others = load.machine.busy.saturating_sub(load.own + load.server.unwrap_or_default());
        self.others.add(100.0 * others.as_secs_f64() / load.machine.all.as_secs_f64());
        // The server ends before its clients do: so the ports that wait for stragglers are its own.
        drop(server);
        Ok(())
    }
}

impl Loads {
    pub(super) fn tell(&self, verdicts: &mut Verdicts) {
        println!("\nDelivery: medians, and in parentheses the lowest and the highest run\n\n{}", self.table());
        let (p50, p99) = (self.commits.millis(0.5), self.commits.millis(0.99));
        println!("One commit (fdatasync of 4 KiB where the server keeps its data): p50 {p50:.2} ms, p99 {p99:.2} ms.");
        println!(
            "At bare sockets one thread sends each message to each reader by itself: the same sizes, no batching."
        );
        for row in &self.rows {
            row.judge(p50, verdicts);
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::with(&[
            "load",
            "server",
            "CPU per delivery, µs",
            "of Bun's",
            "p50, ms",
            "p99, ms",
            "acknowledged p50 / p99, ms",
            "bytes",
            "lost, doubled, reordered",
            "load's reader busy, %",
            "sent late by at most, ms",
            "others had, %",
        ]);
        self.rows.iter().for_each(|row| row.write(&mut table));
        table
    }

    /// CPU per delivery, for the picture.
    pub(super) fn bars(&self) -> Vec<picture::Group> {
        self.rows.iter().map(Row::bars).collect()
    }
}

impl Row {
    fn of(&self, wanted: &Peer) -> Option<&Figures> {
        self.peers.iter().find(|(peer, _)| peer == wanted).map(|(_, figures)| figures)
    }

    /// How many times Bun's CPU it took; nothing where a message was lost.
    fn ratio(&self, figures: &Figures) -> Option<f64> {
        let bun = self.of(&Peer::Bun).filter(|bun| bun.faults.none() && figures.faults.none())?;
        Some(figures.micros.median()? / bun.micros.median()?)
    }

    fn write(&self, table: &mut Table) {
        for (peer, figures) in &self.peers {
            table.row([
                self.shape.name(),
                peer.to_string(),
                figures.micros.show(2),
                self.ratio(figures).map_or("refused".to_owned(), |ratio| format!("{ratio:.2}")),
                figures.p50.show(1),
                figures.p99.show(1),
                format!("{} / {}", figures.acknowledged_p50.show(1), figures.acknowledged_p99.show(1)),
                figures.bytes.to_string(),
                figures.faults.to_string(),
                figures.reader.show(0),
                figures.late.show(1),
                figures.others.show(0),
            ]);
        }
        let floor = [self.shape.name(), "bare sockets".to_owned(), self.floor_micros.show(2)];
        table.row(floor.into_iter().chain(std::iter::repeat_n(String::new(), 9)));
    }

    fn judge(&self, commit_millis: f64, verdicts: &mut Verdicts) {
        let name = self.shape.name();
        for (peer, figures) in &self.peers {
            verdicts.blame(&format!("{name}, {peer}"), &figures.faults);
        }
        let Some((ours, buns)) = self.of(&Peer::Taproom).zip(self.of(&Peer::Bun)) else { return };
        let faults = [("taproom", &ours.faults), ("bun", &buns.faults)];
        verdicts.at_most_if_whole(&format!("CPU per delivery, {name}"), self.ratio(ours), "× Bun", Some(1.0), &faults);
        let bound = buns.p99.median().map(|p99| p99 + commit_millis);
        verdicts.at_most_if_whole(
            &format!("p99, {name}, Bun's and one commit"),
            ours.p99.median(),
            "ms",
            bound,
            &faults,
        );
    }

    fn bars(&self) -> picture::Group {
        let of = |peer: &Peer| self.of(peer).and_then(|figures| figures.micros.median());
        picture::Group {
            name: self.shape.name(),
            taproom: of(&Peer::Taproom),
            bun: of(&Peer::Bun),
            floor: self.floor_micros.median(),
        }
    }
}
