//! Goal 6: everybody sees one order, which is the log's: authors, listeners, who comes late, and history.
//!
//! `TAPROOM_MESSAGES=10000` lets each of the 16 say more.

use crate::{
    ALONE,
    child::Taproom,
    crowd::{Crowd, Outcome, Plan},
    gateway::{Gateway, Habit},
    judge::Fault,
    number,
    person::{Part, Return},
};

const PLAN: Plan = Plan { rooms: 1, talkers: 16, listeners: 2, messages: 500, window: 16, comes_back: Return::AtOnce };

/// Those who come one after another while the others talk.
const LATE: u64 = 4;

async fn talk(plan: Plan, taproom: &Taproom, gateway: Option<&mut Gateway>) -> Outcome {
    let mut crowd = Crowd::gather(plan, taproom, gateway.as_ref().map(|gateway| gateway.address));
    let (all, room) = (plan.messages * plan.talkers as u64, crowd.rooms()[0].clone());
    for late in 1..=LATE {
        crowd.has_acked(all * late / (LATE + 1)).await;
        crowd.join(&room, Part::Listens);
    }
    crowd.has_acked(all).await;
    let lasted = crowd.fall_silent().await;
    if let Some(gateway) = gateway {
        gateway.is_idle().await;
    }
    crowd.go(taproom, lasted).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_and_everybody_sees_the_same_dense_order() {
    let _alone = ALONE.lock().await;
    let taproom = Taproom::start().await;
    let plan = Plan { messages: number("TAPROOM_MESSAGES").unwrap_or(PLAN.messages), ..PLAN };
    let outcome = talk(plan, &taproom, None).await;
    println!(
        "order: {} authors × {}, {:.0} a second, {} readers, {LATE} of them late over {} gaps: {}",
        plan.talkers,
        plan.messages,
        outcome.rate(),
        outcome.records.len(),
        outcome.sum(|record| record.gaps),
        outcome.verdict,
    );
    outcome.verdict.assert_sound();
    assert_eq!(outcome.verdict.acked as u64, plan.messages * plan.talkers as u64);
    assert!(outcome.sum(|record| record.gaps) > 0, "who comes late reads the beginning as history");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_that_shows_before_the_commit_shows_another_order() {
    let _alone = ALONE.lock().await;
    let taproom = Taproom::start().await;
    let mut gateway = Gateway::open(taproom.address, Habit::ShowFirst).await;
    let outcome = talk(Plan { messages: 50, ..PLAN }, &taproom, Some(&mut gateway)).await;
    let reordered = outcome.verdict.count(Fault::Reordered);
    println!("order, show before commit: {reordered} of {} readers saw another one", outcome.records.len());
    assert!(reordered > 0, "{}", outcome.verdict);
}
