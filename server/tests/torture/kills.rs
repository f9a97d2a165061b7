//! Goal 2: the process is killed at random moments under load, and what was acknowledged is there: once, in its place,
//! the same for everybody.
//!
//! `TAPROOM_KILLS=200` kills more often and lets more be said in between; `TAPROOM_SEED` chooses other moments.

use crate::{
    ALONE,
    child::{Taproom, check},
    crowd::{Crowd, Outcome, Plan},
    gateway::{Gateway, Habit},
    judge::Fault,
    number,
    person::Return,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::time::Duration;

/// How soon the server must be back.
const START: Duration = Duration::from_secs(2);

/// Messages a second that are acknowledged, all pauses counted.
const RATE: f64 = 500.0;

/// The moments between which a kill comes after what was waited for, in microseconds: some commits' time.
const MOMENTS: std::ops::Range<u64> = 0..20_000;

/// One start in so many is killed before it is over, within [`UNREADY`].
const UNREADY_EVERY: u32 = 4;

/// In microseconds.
const UNREADY: std::ops::Range<u64> = 0..60_000;

const PLAN: Plan =
    Plan { rooms: 50, talkers: 2, listeners: 1, messages: u64::MAX, window: 8, comes_back: Return::AtOnce };

/// A crowd in 50 rooms, and a server that is killed again and again.
struct Torture {
    kills: u32,
    /// Messages that are acknowledged between two kills, on average.
    between: u64,
    random: StdRng,
    /// Kills of servers that had not started yet.
    unready: u32,
}

impl Torture {
    fn new(kills: u32, between: u64, seed: u64) -> Torture {
        Torture { kills, between, random: StdRng::seed_from_u64(seed), unready: 0 }
    }

    async fn go_through(&mut self, taproom: &mut Taproom, gateway: Option<&mut Gateway>) -> Outcome {
        let mut crowd = Crowd::gather(PLAN, taproom, gateway.as_ref().map(|gateway| gateway.address));
        for _ in 0..self.kills {
            let more = self.random.random_range(1..=2 * self.between);
            crowd.has_acked(crowd.acked() + more).await;
            // Not right after a commit: at any moment of the next ones.
            self.pass(MOMENTS).await;
            taproom.kill().await;
            if self.random.random_ratio(1, UNREADY_EVERY) {
                self.unready += 1;
                let moment = Duration::from_micros(self.random.random_range(UNREADY));
                taproom.start_and_kill_after(moment).await;
            }
            taproom.start_again().await;
        }
        crowd.has_acked(u64::from(self.kills) * self.between).await;
        let lasted = crowd.fall_silent().await;
        if let Some(gateway) = gateway {
            gateway.is_idle().await;
        }
        crowd.go(taproom, lasted).await
    }

    async fn pass(&mut self, moments: std::ops::Range<u64>) {
        tokio::time::sleep(Duration::from_micros(self.random.random_range(moments))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_it_is_killed_what_was_acknowledged_is_there_once_and_in_its_place() {
    let _alone = ALONE.lock().await;
    let asked = number("TAPROOM_KILLS");
    // By default as many as a daily run has time for; asked for, as many as the goal wants.
    let (kills, between) = asked.map_or((20, 500), |kills| (kills, 2_500));
    let seed = number("TAPROOM_SEED").unwrap_or(1);
    let mut taproom = Taproom::start().await;
    let mut torture = Torture::new(kills, between, seed);
    let outcome = torture.go_through(&mut taproom, None).await;
    println!(
        "kill -9: {} acknowledged over {kills} kills and {} during a start, {:.0} a second, in {} rooms on {} sockets; \
         {} sent again; slowest start {:.2?}, slowest ack {:.2?}: {} (seed {seed})",
        outcome.verdict.acked,
        torture.unready,
        outcome.rate(),
        PLAN.rooms,
        outcome.records.len(),
        outcome.sum(|record| record.resent),
        taproom.slowest_start(),
        outcome.slowest_ack(),
        outcome.verdict,
    );
    outcome.verdict.assert_sound();
    assert!(outcome.rate() >= RATE, "{} acknowledged a second", outcome.rate());
    assert!(taproom.slowest_start() <= START, "{:?}", taproom.starts);
    assert_eq!(outcome.sum(|record| record.gaps), 0, "nobody was ever far behind");
    assert!(outcome.records.iter().all(|record| record.cuts >= u64::from(kills.min(1))), "everybody was cut off");
    assert_eq!(taproom.errors(), [""; 0]);
    let (code, found) = check(&taproom.data()).await;
    assert!(code == Some(0) && found.trim_end().ends_with("sound"), "{found}");
    let events = outcome.logs.values().map(Vec::len).sum::<usize>();
    assert!(found.contains(&format!("{} rooms, {events} events", PLAN.rooms)), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_that_acknowledges_before_the_commit_loses_messages() {
    let _alone = ALONE.lock().await;
    let mut taproom = Taproom::start().await;
    let mut gateway = Gateway::open(taproom.address, Habit::AckFirst).await;
    let outcome = Torture::new(3, 200, 1).go_through(&mut taproom, Some(&mut gateway)).await;
    let lost = outcome.verdict.count(Fault::Lost);
    println!("kill -9, ack before commit: {lost} of {} acknowledged are lost over 3 kills", outcome.verdict.acked);
    assert!(lost > 0, "{}", outcome.verdict);
}
