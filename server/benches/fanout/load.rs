//! One load from its first message to its last delivery.

use crate::{
    accounting::{Account, Machine},
    crowd::Crowd,
    door::{Door, Wire},
    plan::Plan,
};
use anyhow::{Context, Result, anyhow};
use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// From the plan's making to its first message.
const LEAD: Duration = Duration::from_millis(200);

/// Without a delivery for so long after the last message, what is missing is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to listen after the last delivery for what nobody waits for: doubles.
const AFTERMATH: Duration = Duration::from_millis(500);

/// What a load took; what came of it is in the crowd's tally.
pub(crate) struct Load {
    pub(crate) time: Duration,
    /// CPU time of the server, where it could be read.
    pub(crate) server: Option<Duration>,
    /// CPU time of this process.
    pub(crate) own: Duration,
    /// CPU time of the thread that reads.
    pub(crate) reader: Duration,
    /// CPU time that the machine spent, and that it had.
    pub(crate) machine: Machine,
    /// How much later than planned the latest message was sent.
    pub(crate) latest_send: Duration,
}

/// Puts a load on the crowd's server and counts what it hears.
pub(crate) fn put(crowd: &mut Crowd, plan: &Plan, server: Option<&Account>) -> Result<Load> {
    let (own, reader) = (Account::of_process(std::process::id()), Account::of_this_thread()?);
    let read = || anyhow::Ok((server.map(Account::cpu).transpose()?, own.cpu()?, reader.cpu()?, Machine::now()?));
    let (server_before, own_before, reader_before, machine_before) = read()?;
    let begin = Instant::now() + LEAD;
    crowd.begin(plan.clone(), begin);
    let latest_send = listen_while_speaking(crowd, begin)?;
    let time = begin.elapsed();
    let (server_after, own_after, reader_after, machine_after) = read()?;
    crowd.listen_for(AFTERMATH)?;
    Ok(Load {
        time,
        server: server_after.zip(server_before).map(|(after, before)| after - before),
        own: own_after - own_before,
        reader: reader_after - reader_before,
        machine: Machine {
            busy: machine_after.busy.saturating_sub(machine_before.busy),
            all: machine_after.all.saturating_sub(machine_before.all),
        },
        latest_send,
    })
}

/// The thread that says every message of a crowd's plan when it is due.
pub(crate) fn speaker(crowd: &Crowd, begin: Instant) -> Result<JoinHandle<Result<Duration>>> {
    let (door, plan) = (crowd.door().clone(), crowd.plan().clone());
    let wires: Option<Vec<Arc<Wire>>> = (0..plan.senders).map(|connection| crowd.wire(connection)).collect();
    let wires = wires.context("those who send are there")?;
    Ok(thread::spawn(move || speak(&door, &plan, &wires, begin)))
}

fn listen_while_speaking(crowd: &mut Crowd, begin: Instant) -> Result<Duration> {
    let plan = crowd.plan();
    let answers = if crowd.door().begins_with_http() { plan.messages() } else { 0 };
    let deliveries = plan.deliveries();
    let speaker = speaker(crowd, begin)?;

    let mut progress = (0, Instant::now());
    loop {
        crowd.listen(Duration::from_millis(50))?;
        let tally = crowd.tally();
        let heard = tally.arrived() + tally.acknowledged;
        if heard > progress.0 || !speaker.is_finished() {
            progress = (heard, Instant::now());
        }
        let is_all = tally.arrived() >= deliveries && tally.acknowledged + tally.refused >= answers;
        if speaker.is_finished() && (is_all || progress.1.elapsed() > PATIENCE) {
            return speaker.join().map_err(|_| anyhow!("the thread that speaks panicked"))?;
        }
    }
}

/// Says every message when it is due, and answers how late the latest was.
fn speak(door: &Door, plan: &Plan, wires: &[Arc<Wire>], begin: Instant) -> Result<Duration> {
    let mut latest = Duration::ZERO;
    for message in 0..plan.messages() {
        let frame = door.speech(plan, message);
        let due = begin + plan.due(message);
        // The plan decides, not the server: what is late is sent at once, and its latency counts from when it was due.
        thread::sleep(due.saturating_duration_since(Instant::now()));
        latest = latest.max(due.elapsed());
        wires[plan.sender(message)].say(&frame)?;
    }
    Ok(latest)
}
