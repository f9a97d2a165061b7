//! 9,000 come and go, stall and return for minutes: memory has to end where it began, and nobody may miss anything.

use super::{Bars, figures::Table, verdicts::Verdicts};
use crate::{
    accounting::Account,
    crowd::{Bookmark, Crowd, Leaving},
    faults::Faults,
    load,
    peer::{self, Server},
    plan::{Names, Plan},
    runs,
};
use anyhow::{Context, Result, anyhow};
use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

/// Who is there.
const CONNECTIONS: usize = 9_000;

/// Rooms, of which each connection is in one.
const ROOMS: usize = 5;

/// Those who talk, and so neither leave nor stall.
const SENDERS: usize = 10;

/// Messages a second, in all rooms together: everybody hears eight a second, about two kilobytes.
const RATE: f64 = 40.0;

/// The last so many stall in turn. Their receive buffers are small.
const STALLING: usize = CONNECTIONS / 3;

/// Everybody has left, or stalled, and come back once in that time.
const ROUND: Duration = Duration::from_secs(30);

/// How long somebody is away.
const ABSENCE: Duration = Duration::from_secs(10);

/// How long somebody reads nothing: every other one so shortly that the server need not notice, every other one for
/// longer than it waits for the answer to a ping.
const STALLS: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(60)];

/// Everybody who stalls has done so once in that time.
const STALLING_ROUND: Duration = Duration::from_secs(90);

/// What is on its way at the end is waited for so long.
const CATCHING_UP: Duration = Duration::from_secs(60);

/// After so long a quiet room has given back what it remembers: the server looks every minute, and twice.
const FORGOTTEN: Duration = Duration::from_secs(125);

/// Bytes that may be more or fewer at the end: 5 %.
const TOLERANCE_PERCENT: f64 = 5.0;

/// A line of the metrics that begins so tells how many connections the server believes in.
const CONNECTIONS_METRIC: &str = "taproom_connections ";

/// Everything that was found.
pub(super) struct Churn {
    minutes: f64,
    left: usize,
    stalled: usize,
    /// Connections that the server ended.
    ended: usize,
    gaps: usize,
    /// Megabytes: with everybody there after the first round, at the end, and when all have left.
    before: f64,
    after: f64,
    empty: f64,
    /// What the server believes when all have left; `None` where nobody could be asked.
    believed: Option<f64>,
    faults: Faults,
}

/// Lets them come and go.
pub(super) fn measure(bars: &Bars) -> Result<Churn> {
    let (server, metrics) = match &bars.url {
        Some(url) => (Server::at(url, bars.pid)?, bars.metrics.clone()),
        None => Server::start_measured(&bars.programs).map(|(server, metrics)| (server, Some(metrics)))?,
    };
    let account = server.account.clone().context("churn reads the server's memory: name its process with --pid")?;
    let plan = Plan {
        rooms: ROOMS,
        senders: SENDERS,
        rate: RATE,
        names: Names::Named,
        stalled: STALLING,
        ..Plan::of(CONNECTIONS)
    };
    let mut crowd = Crowd::new(server.door.clone(), plan.clone())?;
    crowd.grow_to(CONNECTIONS)?;
    let mut scene = Scene::new(crowd, plan);
    let megabytes = || anyhow::Ok(account.memory()?.resident / 1e6);

    eprintln!("churn: a first round");
    scene.play(if bars.quick { ROUND / 3 } else { STALLING_ROUND })?;
    scene.rest(bars, &account)?;
    let before = megabytes()?;
    eprintln!("churn: {} minutes", bars.come_and_go);
    scene.play(Duration::from_secs_f64(bars.come_and_go * 60.0))?;
    scene.rest(bars, &account)?;
    let after = megabytes()?;
    for number in 0..CONNECTIONS {
        scene.crowd.leave(number, Leaving::Politely)?;
    }
    runs::settle(&mut scene.crowd, Some(&account))?;
    let believed = metrics.as_deref().and_then(|url| match believed(url) {
        Ok(connections) => Some(connections),
        Err(error) => {
            eprintln!("churn: the server does not tell how many connections it has: {error:#}");
            None
        }
    });
    let (left, stalled, ended, gaps) = (scene.left, scene.stalled, scene.ended, scene.gaps);
    let (empty, faults) = (megabytes()?, scene.faults);
    Ok(Churn { minutes: bars.come_and_go, left, stalled, ended, gaps, before, after, empty, believed, faults })
}

/// How many connections the server says that it has.
fn believed(url: &str) -> Result<f64> {
    let metrics = peer::get_url(url)?;
    let line = metrics.lines().find_map(|line| line.strip_prefix(CONNECTIONS_METRIC));
    line.and_then(|number| number.trim().parse().ok()).with_context(|| format!("find {CONNECTIONS_METRIC}in {url}"))
}

/// Those who come and go.
struct Scene {
    crowd: Crowd,
    plan: Plan,
    /// Whose turn it is among those who leave, and among those who stall.
    next_to_leave: usize,
    next_to_stall: usize,
    /// Who is away, since when, and where they read on.
    away: VecDeque<(Instant, usize, Option<Bookmark>)>,
    /// Who reads nothing, until when.
    asleep: BTreeSet<(Instant, usize)>,
    /// How often each has come back.
    returns: Vec<u32>,
    left: usize,
    stalled: usize,
    ended: usize,
    gaps: usize,
    faults: Faults,
}

impl Scene {
    fn new(crowd: Crowd, plan: Plan) -> Scene {
        Scene {
            crowd,
            plan,
            next_to_leave: SENDERS,
            next_to_stall: CONNECTIONS - STALLING,
            away: VecDeque::new(),
            asleep: BTreeSet::new(),
            returns: vec![0; CONNECTIONS],
            left: 0,
            stalled: 0,
            ended: 0,
            gaps: 0,
            faults: Faults::default(),
        }
    }

    /// Messages are said and people come and go for a while; then everybody comes back and hears the rest.
    fn play(&mut self, duration: Duration) -> Result<()> {
        let plan = Plan { duration, ..self.plan.clone() };
        let begin = Instant::now();
        self.crowd.begin(plan.clone(), begin);
        let speaker = load::speaker(&self.crowd, begin)?;
        let leaving = (CONNECTIONS - STALLING - SENDERS) as f64 / ROUND.as_secs_f64();
        let stalling = STALLING as f64 / STALLING_ROUND.as_secs_f64();
        let (mut gone, mut slept) = (0, 0);
        while begin.elapsed() < duration {
            let seconds = begin.elapsed().as_secs_f64();
            while (gone as f64) < leaving * seconds {
                self.send_away()?;
                gone += 1;
            }
            while (slept as f64) < stalling * seconds {
                self.put_to_sleep()?;
                slept += 1;
            }
            self.bring_back(Instant::now())?;
            self.crowd.listen(Duration::from_millis(5))?;
        }
        speaker.join().map_err(|_| anyhow!("the thread that speaks panicked"))??;
        self.end(&plan)
    }

    fn send_away(&mut self) -> Result<()> {
        let number = self.next_to_leave;
        let stayed = SENDERS..CONNECTIONS - STALLING;
        self.next_to_leave = if number + 1 < stayed.end { number + 1 } else { stayed.start };
        let leaving = [Leaving::Politely, Leaving::Silently, Leaving::Abruptly][number % 3];
        let bookmark = self.crowd.leave(number, leaving)?;
        self.away.push_back((Instant::now(), number, bookmark));
        self.left += 1;
        Ok(())
    }

    fn put_to_sleep(&mut self) -> Result<()> {
        let number = self.next_to_stall;
        self.next_to_stall = if number + 1 < CONNECTIONS { number + 1 } else { CONNECTIONS - STALLING };
        self.crowd.stall(number)?;
        self.asleep.insert((Instant::now() + STALLS[number % STALLS.len()], number));
        self.stalled += 1;
        Ok(())
    }

    /// Nobody says anything until the server has nothing left to do, and has given back what rooms remember of the last
    /// minutes: that is as much as was said, whoever comes and goes.
    fn rest(&mut self, bars: &Bars, account: &Account) -> Result<()> {
        self.crowd.listen_for(if bars.quick { ROUND / 3 } else { FORGOTTEN })?;
        runs::settle(&mut self.crowd, Some(account))
    }

    /// Brings back who has been away long enough at that moment, and who was cut off.
    fn bring_back(&mut self, now: Instant) -> Result<()> {
        let is_over = |since: Instant, time| now.saturating_duration_since(since) >= time;
        while let Some((_, number, bookmark)) = self.away.pop_front_if(|(since, ..)| is_over(*since, ABSENCE)) {
            self.come_back(number, bookmark)?;
        }
        while let Some((until, number)) = self.asleep.pop_first() {
            if until > now {
                self.asleep.insert((until, number));
                break;
            }
            self.crowd.read_on(number)?;
        }
        for number in self.crowd.take_ended() {
            self.ended += 1;
            let bookmark = self.crowd.leave(number, Leaving::Silently)?;
            self.come_back(number, bookmark)?;
        }
        Ok(())
    }

    fn come_back(&mut self, number: usize, bookmark: Option<Bookmark>) -> Result<()> {
        self.returns[number] += 1;
        self.crowd.come_back(number, self.returns[number], bookmark)
    }

    /// Everybody comes back, reads on, and has to have heard everything.
    fn end(&mut self, plan: &Plan) -> Result<()> {
        let begun = Instant::now();
        let heads = loop {
            self.bring_back(begun + STALLS[1])?;
            self.crowd.listen(Duration::from_millis(50))?;
            let heads = self.heads();
            let is_whole = self.crowd.tally().acknowledged >= plan.messages() && self.behind(&heads) == 0;
            if (is_whole && self.crowd.welcomed() == CONNECTIONS) || begun.elapsed() > CATCHING_UP {
                break heads;
            }
        };
        let behind = self.behind(&heads);
        let tally = self.crowd.tally();
        self.gaps += tally.gaps;
        // Who was cut off and came back, or was told of a gap, has lost nothing yet.
        self.faults.add(Faults {
            lost: behind,
            doubled: tally.doubled,
            reordered: tally.reordered,
            others: plan.messages().saturating_sub(tally.acknowledged) + tally.refused + CONNECTIONS
                - self.crowd.welcomed(),
            complaint: tally.complaint.clone(),
        });
        Ok(())
    }

    /// The newest position that anybody has heard, by room.
    fn heads(&self) -> Vec<u64> {
        let mut heads = vec![0; ROOMS];
        for bookmark in self.crowd.bookmarks() {
            let head = &mut heads[bookmark.room()];
            *head = u64::max(*head, bookmark.sequence.newest());
        }
        heads
    }

    /// Positions that somebody has not heard, counted for everybody who is there.
    fn behind(&self, heads: &[u64]) -> usize {
        let behind = |bookmark: Bookmark| {
            (heads[bookmark.room()] - bookmark.sequence.newest()) as usize + bookmark.sequence.missing()
        };
        self.crowd.bookmarks().map(behind).sum()
    }
}

impl Churn {
    pub(super) fn tell(&self, verdicts: &mut Verdicts) {
        println!(
            "\n9,000 come and go, stall and return for {} minutes, {RATE} messages/s in {ROOMS} rooms\n",
            self.minutes
        );
        let mut table = Table::with(&[
            "left and came back",
            "stalled",
            "cut off by the server",
            "gaps told",
            "memory before, MB",
            "after, MB",
            "with nobody there, MB",
            "connections believed in then",
            "lost, doubled, reordered",
        ]);
        let counts = [self.left, self.stalled, self.ended, self.gaps].map(|count| count.to_string());
        let memory = [self.before, self.after, self.empty].map(|megabytes| format!("{megabytes:.1}"));
        let believed = self.believed.map_or("not asked".to_owned(), |number| number.to_string());
        table.row(counts.into_iter().chain(memory).chain([believed, self.faults.to_string()]));
        print!("{table}");
        verdicts.blame("come and go", &self.faults);
        let change = 100.0 * (self.after - self.before) / self.before;
        verdicts.at_most("come and go, change of memory", Some(change.abs()), "%", TOLERANCE_PERCENT);
        verdicts.at_most("come and go, connections believed in at the end", self.believed, "", 0.0);
    }
}
