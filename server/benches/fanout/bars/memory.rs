//! What a connection holds in memory while it is idle, and after a burst: slopes, so that what everybody shares is not in it.

use super::{
    Bars, Beginnings,
    figures::{Samples, Table},
    picture,
    verdicts::Verdicts,
};
use crate::{
    accounting::{self, Memory},
    crowd::Crowd,
    faults::Faults,
    load,
    peer::{Peer, Programs, Server},
    plan::{Names, Plan, Presence},
    runs,
};
use anyhow::{Context, Result};

/// The two numbers of connections that are compared.
const FEW: usize = 1_000;
/// See [`FEW`].
const MANY: usize = 9_000;

/// Rooms that everybody is in one or all of.
const ROOMS: usize = 5;

/// Whose connections are measured, and where they are.
struct Case {
    peer: Peer,
    presence: Presence,
    idle: Samples,
    idle_anonymous: Samples,
    after_burst: Samples,
    /// Megabytes in all, with everybody there.
    total: Samples,
    faults: Faults,
}

/// Everything that was found.
pub(super) struct Memories {
    cases: Vec<Case>,
}

/// Measures every case, in turn.
pub(super) fn measure(bars: &Bars, beginnings: &mut Beginnings) -> Result<Memories> {
    let mut cases = vec![Case::new(Peer::Taproom, Presence::OneRoom), Case::new(Peer::Taproom, Presence::EveryRoom)];
    // Bun's server of about thirty lines knows one room a connection.
    let others = bars.peers().into_iter().filter(|peer| *peer != Peer::Taproom);
    cases.extend(others.map(|peer| Case::new(peer, Presence::OneRoom)));
    for run in 1..=bars.memory_runs() {
        for case in &mut cases {
            let (of, load) = (bars.memory_runs(), accounting::load_average());
            eprintln!("run {run} of {of}: memory, {}; load average {load}", case.name());
            if let Err(error) = case.run(&bars.programs, beginnings) {
                case.faults.add(Faults::broken(&error));
            }
        }
    }
    Ok(Memories { cases })
}

impl Case {
    fn new(peer: Peer, presence: Presence) -> Case {
        let none = Samples::default;
        let faults = Faults::default();
        Case { peer, presence, idle: none(), idle_anonymous: none(), after_burst: none(), total: none(), faults }
    }

    fn name(&self) -> String {
        match self.presence {
            Presence::OneRoom => format!("{}, in one of {ROOMS} rooms", self.peer),
            Presence::EveryRoom => format!("{}, in all of {ROOMS} rooms", self.peer),
        }
    }

    /// Two servers: had there been a burst at few already, the many would find its memory free for them.
    fn run(&mut self, programs: &Programs, beginnings: &mut Beginnings) -> Result<()> {
        let mut few = Stage::start(&self.peer, self.presence, programs, beginnings)?;
        let few_idle = few.fill(FEW)?;
        let few_after_burst = few.burst(FEW, &mut self.faults)?;
        drop(few);
        let mut many = Stage::start(&self.peer, self.presence, programs, beginnings)?;
        many.fill(FEW)?;
        let many_idle = many.fill(MANY)?;
        let many_after_burst = many.burst(MANY, &mut self.faults)?;

        let each = |few: f64, many: f64| (many - few) / 1024.0 / (MANY - FEW) as f64;
        self.idle.add(each(few_idle.resident, many_idle.resident));
        self.idle_anonymous.add(each(few_idle.anonymous, many_idle.anonymous));
        self.after_burst.add(each(few_after_burst.resident, many_after_burst.resident));
        self.total.add(many_idle.resident / 1e6);
        Ok(())
    }

    fn ratio(&self) -> Option<f64> {
        Some(self.after_burst.median()? / self.idle.median()?)
    }
}

/// One server and those who are there.
struct Stage {
    // Before the crowd: the server ends first.
    server: Server,
    crowd: Crowd,
}

impl Stage {
    fn start(peer: &Peer, presence: Presence, programs: &Programs, beginnings: &mut Beginnings) -> Result<Stage> {
        let server = Server::start(peer, programs)?;
        if *peer == Peer::Taproom {
            beginnings.add(server.started);
        }
        let plan = Plan { rooms: ROOMS, senders: ROOMS, presence, names: Names::Named, ..Plan::of(MANY) };
        let crowd = Crowd::new(server.door.clone(), plan)?;
        Ok(Stage { server, crowd })
    }

    /// Memory once so many are there, and told about one another.
    fn fill(&mut self, count: usize) -> Result<Memory> {
        self.crowd.grow_to(count)?;
        self.settled()
    }

    /// Memory after messages to everybody who is there.
    fn burst(&mut self, count: usize, faults: &mut Faults) -> Result<Memory> {
        let burst = runs::burst_of(&Plan { connections: count, ..self.crowd.plan().clone() });
        load::put(&mut self.crowd, &burst, self.server.account.as_ref())?;
        faults.add(self.crowd.tally().faults(burst.deliveries(), burst.messages()));
        self.settled()
    }

    fn settled(&mut self) -> Result<Memory> {
        let account = self.server.account.clone().context("this program started the server")?;
        runs::settle(&mut self.crowd, Some(&account))?;
        account.memory()
    }
}

impl Memories {
    pub(super) fn tell(&self, verdicts: &mut Verdicts) {
        println!("\nMemory of a connection in user space, KiB: slopes from {FEW} to {MANY}, everybody named\n");
        let columns = [
            "connections",
            "idle",
            "of it anonymous",
            "after a burst",
            "burst : idle",
            "all of it idle, MB",
            "lost, doubled, reordered",
        ];
        let mut table = Table::with(&columns);
        for case in &self.cases {
            let ratio = case.ratio().map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
            let memory =
                [case.idle.show(2), case.idle_anonymous.show(2), case.after_burst.show(2), ratio, case.total.show(0)];
            table.row([case.name()].into_iter().chain(memory).chain([case.faults.to_string()]));
        }
        print!("{table}");
        for case in &self.cases {
            verdicts.blame(&format!("memory, {}", case.name()), &case.faults);
        }
        for case in self.cases.iter().filter(|case| case.peer == Peer::Taproom) {
            let faults = [("taproom", &case.faults)];
            let name = format!("memory per idle connection, {}", case.name());
            verdicts.at_most_if_whole(&name, case.idle.median(), "KiB", Some(4.0), &faults);
            let name = format!("after a burst, {}", case.name());
            verdicts.at_most_if_whole(&name, case.ratio(), "× idle", Some(1.1), &faults);
        }
    }

    /// Memory per idle connection, for the picture.
    pub(super) fn bars(&self) -> Vec<picture::Group> {
        let idle = |peer: &Peer, presence| {
            let case = self.cases.iter().find(|case| case.peer == *peer && case.presence == presence);
            case.and_then(|case| case.idle.median())
        };
        let group = |name: String, presence| picture::Group {
            name,
            taproom: idle(&Peer::Taproom, presence),
            bun: idle(&Peer::Bun, presence),
            floor: None,
        };
        vec![
            group(format!("in one of {ROOMS} rooms"), Presence::OneRoom),
            group(format!("in all of {ROOMS} rooms"), Presence::EveryRoom),
        ]
    }
}
