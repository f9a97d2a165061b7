//! The two things that are measured: a load, and connections that say nothing.

use crate::{
    accounting::{self, Account},
    arguments::Arguments,
    bare::BareSockets,
    crowd::{Crowd, Tally},
    load::{self, Load},
    peer::Server,
    plan::{Plan, Presence},
    report::{Report, Unit},
};
use anyhow::Result;
use std::time::{Duration, Instant};

/// Deliveries on bare sockets, about: what one costs need not be measured for longer.
const FLOOR_DELIVERIES: usize = 500_000;

/// A server that uses less CPU than this in [`QUIET_TIME`] has done what the connecting gave it to do.
const QUIET_CPU: Duration = Duration::from_millis(10);

/// See [`QUIET_CPU`].
const QUIET_TIME: Duration = Duration::from_millis(700);

/// Quiet is waited for so long, at most.
const QUIET_DEADLINE: Duration = Duration::from_secs(20);

/// Messages to everybody after which memory is looked at again.
const BURST: usize = 50;

/// How fast they are sent, a second and in all rooms together: faster than they are delivered to thousands, slower than
/// the server takes them.
const BURST_RATE: f64 = 5_000.0;

/// A load on a fresh server, beside the same load on bare sockets.
pub(crate) fn load(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let plan = arguments.plan();
    let floor = if arguments.no_floor { None } else { Some(floor(&plan)?) };

    let server = Server::of(arguments)?;
    report_start(&server, report);
    let mut crowd = Crowd::new(server.door.clone(), plan.clone())?;
    connect(&mut crowd, plan.connections, server.account.as_ref(), report)?;
    let full = resident(&server)?;
    eprintln!("  sending for {:?}", plan.duration);
    let load = load::put(&mut crowd, &plan, server.account.as_ref())?;

    report_deliveries(&plan, crowd.tally(), report);
    report_cost(&plan, &load, floor, report);
    report_memory(full, "with everybody connected", report);
    report_memory(resident(&server)?, "after the load", report);
    report_machine(&load, report);
    // The server ends before its clients do: so the ports that wait for stragglers are its own.
    drop(server);
    Ok(())
}

/// What a delivery costs on bare sockets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    pub(crate) micros_per_delivery: f64,
    pub(crate) p99_millis: f64,
}

/// Puts a load of the plan's shape on bare sockets.
pub(crate) fn floor(plan: &Plan) -> Result<Floor> {
    eprintln!("  bare sockets");
    let plan = plan.with_one_sender_a_room(FLOOR_DELIVERIES);
    let bare = BareSockets::start()?;
    let mut crowd = Crowd::new(bare.door.clone(), plan.clone())?;
    crowd.grow_to(plan.connections)?;
    let load = load::put(&mut crowd, &plan, Some(&bare.account))?;
    let tally = crowd.tally();
    anyhow::ensure!(
        tally.in_order == plan.deliveries() && tally.doubled == 0,
        "bare sockets delivered {} of {} messages, which cannot be right",
        tally.in_order,
        plan.deliveries()
    );
    let cpu = load.server.unwrap_or_default();
    bare.stop()?;
    Ok(Floor {
        micros_per_delivery: cpu.as_secs_f64() * 1e6 / plan.deliveries() as f64,
        p99_millis: millis(tally.latency.value_at_quantile(0.99)),
    })
}

fn report_start(server: &Server, report: &mut Report) {
    if let Some(started) = &server.started {
        report.add("first answer after start", Unit::Millis, started.first_answer.as_secs_f64() * 1e3);
        report_memory(Some(started.memory.resident), "empty", report);
    }
}

/// Lets everybody in, and waits until the server has told all of them about one another.
fn connect(crowd: &mut Crowd, count: usize, server: Option<&Account>, report: &mut Report) -> Result<()> {
    eprintln!("  connecting {count}");
    let cpu = || server.map(Account::cpu).transpose();
    let (begun, before) = (Instant::now(), cpu()?);
    crowd.grow_to(count)?;
    report.add("to connect everybody", Unit::Millis, begun.elapsed().as_secs_f64() * 1e3);
    let connected = cpu()?;
    settle(crowd, server)?;
    let each = |after: Option<Duration>| Some((after? - before?).as_secs_f64() * 1e6 / count as f64);
    report.add_if("server CPU per connect", Unit::Micros, each(connected));
    report.add_if("and until all is told", Unit::Micros, each(cpu()?));
    Ok(())
}

/// Listens until the server has nothing left to do.
pub(crate) fn settle(crowd: &mut Crowd, server: Option<&Account>) -> Result<()> {
    let begun = Instant::now();
    loop {
        let before = server.map(Account::cpu).transpose()?;
        crowd.listen_for(QUIET_TIME)?;
        let after = server.map(Account::cpu).transpose()?;
        let is_quiet = after.zip(before).is_none_or(|(after, before)| after - before < QUIET_CPU);
        if is_quiet || begun.elapsed() > QUIET_DEADLINE {
            return Ok(());
        }
    }
}

fn report_deliveries(plan: &Plan, tally: &Tally, report: &mut Report) {
    let lost = plan.deliveries().saturating_sub(tally.arrived());
    report.add("messages", Unit::Count, plan.messages() as f64);
    report.add("deliveries", Unit::Count, tally.arrived() as f64);
    report.add_fault("lost", lost);
    report.add_fault("doubled", tally.doubled);
    report.add_fault("reordered", tally.reordered);
    report.add_fault("not acknowledged", plan.messages().saturating_sub(tally.acknowledged));
    report.add_fault("refused", tally.refused);
    report.add_fault("gaps", tally.gaps);
    report.add_fault("connections ended", tally.ended);
    if let Some(complaint) = &tally.complaint {
        report.remark(complaint.clone());
    }
    report.add("bytes a delivery", Unit::Count, tally.frame_bytes as f64);
    report.add("delivered after p50", Unit::Millis, millis(tally.latency.value_at_quantile(0.50)));
    report.add("delivered after p99", Unit::Millis, millis(tally.latency.value_at_quantile(0.99)));
    report.add("delivered after max", Unit::Millis, millis(tally.latency.max()));
    report.add("acknowledged after p50", Unit::Millis, millis(tally.ack_latency.value_at_quantile(0.50)));
    report.add("acknowledged after p99", Unit::Millis, millis(tally.ack_latency.value_at_quantile(0.99)));
}

pub(crate) fn millis(micros: u64) -> f64 {
    micros as f64 / 1e3
}

fn report_cost(plan: &Plan, load: &Load, floor: Option<Floor>, report: &mut Report) {
    let each = load.server.map(|cpu| cpu.as_secs_f64() * 1e6 / plan.deliveries() as f64);
    report.add_if("server CPU per delivery", Unit::Micros, each);
    if let Some(floor) = floor {
        report.add("bare sockets, CPU per delivery", Unit::Micros, floor.micros_per_delivery);
        report.add("bare sockets, p99", Unit::Millis, floor.p99_millis);
        report.add_if("server to bare sockets", Unit::Times, each.map(|each| each / floor.micros_per_delivery));
    }
    report.add("deliveries a second", Unit::Count, (plan.deliveries() as f64 / load.time.as_secs_f64()).round());
}

fn resident(server: &Server) -> Result<Option<f64>> {
    Ok(server.account.as_ref().map(Account::memory).transpose()?.map(|memory| memory.resident))
}

fn report_memory(bytes: Option<f64>, when: &str, report: &mut Report) {
    report.add_if(&format!("server memory {when}"), Unit::Mebibytes, bytes.map(|bytes| bytes / 1024.0 / 1024.0));
}

/// How much of the machine each had during the load: what others took is noise.
fn report_machine(load: &Load, report: &mut Report) {
    let share = |time: Duration| 100.0 * time.as_secs_f64() / load.machine.all.as_secs_f64();
    report.add_if("machine: the server", Unit::Percent, load.server.map(share));
    report.add("machine: the load", Unit::Percent, share(load.own));
    let reader = 100.0 * load.reader.as_secs_f64() / load.time.as_secs_f64();
    report.add("the load's reader was busy", Unit::Percent, reader);
    if let Some(server) = load.server {
        let others = load.machine.busy.saturating_sub(server + load.own);
        report.add("machine: others", Unit::Percent, share(others));
    }
    report.add("latest send after its time", Unit::Millis, load.latest_send.as_secs_f64() * 1e3);
    report.remark(format!("load average at the end of the run: {}", accounting::load_average()));
}

/// Memory of connections that say nothing, then of the same after a burst of messages to everybody.
pub(crate) fn idle(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let server = Server::of(arguments)?;
    report_start(&server, report);
    let (few, many) = (arguments.idle_from, arguments.connections);
    let mut crowd = Crowd::new(server.door.clone(), arguments.plan())?;
    let account = server.account.as_ref();

    crowd.grow_to(few)?;
    settle(&mut crowd, account)?;
    let with_few = resident(&server)?;
    connect(&mut crowd, many, account, report)?;
    let with_many = resident(&server)?;
    burst(&mut crowd, account, report)?;
    let after_burst = resident(&server)?;

    let kibibytes = |from: Option<f64>, to: Option<f64>, count: usize| Some((to? - from?) / 1024.0 / count as f64);
    report_memory(with_few, &format!("with {few}"), report);
    report_memory(with_many, &format!("with {many}"), report);
    report_memory(after_burst, "after the burst", report);
    report.add_if("memory per idle connection", Unit::Kibibytes, kibibytes(with_few, with_many, many - few));
    report.add_if("and a burst adds to each", Unit::Kibibytes, kibibytes(with_many, after_burst, many));
    report.remark(format!("load average at the end of the run: {}", accounting::load_average()));
    drop(server);
    Ok(())
}

/// So many messages to everybody, whatever rooms they are in.
pub(crate) fn burst_of(plan: &Plan) -> Plan {
    let rooms = if plan.presence == Presence::OneRoom { plan.rooms } else { 1 };
    let duration = Duration::from_secs_f64((BURST * rooms) as f64 / BURST_RATE);
    Plan { senders: plan.rooms, rate: BURST_RATE, duration, ..plan.clone() }
}

fn burst(crowd: &mut Crowd, server: Option<&Account>, report: &mut Report) -> Result<()> {
    let burst = burst_of(crowd.plan());
    load::put(crowd, &burst, server)?;
    let lost = burst.deliveries().saturating_sub(crowd.tally().arrived());
    report.add("burst deliveries", Unit::Count, crowd.tally().arrived() as f64);
    report.add_fault("lost", lost);
    report.add_fault("doubled", crowd.tally().doubled);
    report.add_fault("reordered", crowd.tally().reordered);
    settle(crowd, server)
}
