//! A restart under load: nobody waits long, nothing is lost, and what is left behind is tidy.
//!
//! `TAPROOM_RESTARTS=20` restarts more often.

use crate::{
    ALONE,
    child::Taproom,
    crowd::{Crowd, Plan},
    number,
    person::Return,
};
use std::time::{Duration, Instant};

/// The longest that anybody may wait for an `Ack`, the restart included.
const STALL: Duration = Duration::from_secs(3);

/// Messages that are acknowledged between two restarts.
const BETWEEN: u64 = 500;

const PLAN: Plan =
    Plan { rooms: 50, talkers: 2, listeners: 1, messages: u64::MAX, window: 4, comes_back: Return::LikeABrowser };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_under_load_costs_a_message_three_seconds_at_most() {
    let _alone = ALONE.lock().await;
    let restarts = number("TAPROOM_RESTARTS").unwrap_or(5);
    let mut taproom = Taproom::start().await;
    let mut crowd = Crowd::gather(PLAN, &taproom, None);
    let mut slowest_stop = Duration::ZERO;
    for restart in 1..=restarts {
        // Everybody is back from the last one and talks.
        crowd.has_come(restart).await;
        crowd.has_acked(crowd.acked() + BETWEEN).await;
        let began = Instant::now();
        assert_eq!(taproom.stop().await, Some(0));
        slowest_stop = slowest_stop.max(began.elapsed());
        assert_eq!(taproom.wal_bytes(), 0, "everything is in the database itself");
        taproom.start_again().await;
    }
    crowd.has_come(restarts + 1).await;
    let lasted = crowd.fall_silent().await;
    let outcome = crowd.go(&taproom, lasted).await;
    println!(
        "SIGTERM: {restarts} restarts, {} acknowledged on {} sockets; slowest stop {slowest_stop:.2?}, slowest start \
         {:.2?}, longest from send to ack {:.2?}: {}",
        outcome.verdict.acked,
        outcome.records.len(),
        taproom.slowest_start(),
        outcome.slowest_ack(),
        outcome.verdict,
    );
    outcome.verdict.assert_sound();
    assert!(outcome.records.iter().all(|record| record.cuts == restarts), "everybody was cut off each time");
    assert!(outcome.slowest_ack() <= STALL, "{:?}", outcome.slowest_ack());
    assert_eq!(taproom.errors(), [""; 0]);
    assert_eq!(taproom.stop().await, Some(0));
}
