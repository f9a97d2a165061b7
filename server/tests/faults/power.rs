//! Power loss: what was acknowledged is there, once, in its order; what was not is sent again and is there once.
//!
//! `TAPROOM_CUTS=100 cargo test -p server --test faults no_power_cut -- --nocapture` cuts more often.

use crate::{
    disk::Disk,
    log::Log,
    machine::{Machine, clients},
    talker::{Talker, Until},
};
use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use server::store;
use std::{ops::Range, path::Path};
use tempfile::TempDir;

/// Cuts when `TAPROOM_CUTS` does not say how many.
const CUTS: u64 = 10;

/// Changes to the disk between two cuts: writes, syncs, truncations.
const CHANGES: Range<u64> = 1_000..5_000;

/// Sockets that talk at a time, and the messages that each has on its way.
const TALKERS: usize = 24;
const WINDOW: usize = 64;

/// Cuts within which the control loses something.
const CUTS_OF_A_CONTROL: u64 = 5;

fn cuts() -> u64 {
    std::env::var("TAPROOM_CUTS").map_or(CUTS, |cuts| cuts.parse().expect("TAPROOM_CUTS is a number"))
}

fn folder_on_a_disk() -> (TempDir, Disk) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = Disk::in_directory(folder.path());
    (folder, disk)
}

/// Everybody talks until something fails.
async fn talk(machine: &Machine, talkers: &mut [Talker], until: Until) {
    join_all(talkers.iter_mut().map(|talker| talker.talk(machine, until))).await;
}

fn is_sound(data: &Path) {
    let report = store::check(data).expect("it can be read");
    assert_eq!(report.troubles, Vec::<String>::new(), "{report}");
}

#[test]
fn no_power_cut_loses_doubles_or_reorders_a_message() {
    let (folder, disk) = folder_on_a_disk();
    let (clients, mut log, mut talkers) = (clients(), Log::default(), Talker::pairs(TALKERS, WINDOW));
    let mut machine = Machine::start(folder.path());
    for seed in 0..cuts() {
        disk.cut_power_after(StdRng::seed_from_u64(seed).random_range(CHANGES), seed);
        clients.block_on(talk(&machine, &mut talkers, Until::Trouble));
        assert!(!disk.has_power(), "something else failed: {:?}", talkers[0].refused.last());
        machine.die();
        disk.restore_power();
        machine = Machine::start(folder.path());
        clients.block_on(log.check(&machine, &mut talkers));
        is_sound(folder.path());
    }
    let acked = log.acked;
    clients.block_on(talk(&machine, &mut talkers, Until::Acked(0)));
    clients.block_on(log.check(&machine, &mut talkers));
    let said: u64 = talkers.iter().map(|talker| talker.said).sum();
    assert_eq!(log.len() as u64, said, "everything that was ever said is there once");
    drop(talkers);
    machine.stop();
    println!("{acked} acknowledged messages over {} cuts: 0 lost, 0 doubled, 0 reordered", cuts());
    assert!(acked as u64 >= 2_000 * cuts(), "{acked} acknowledged messages prove little");
}

#[test]
fn the_control_on_a_disk_that_lies_loses_acknowledged_messages() {
    let lost = |seed: u64| {
        let (folder, disk) = folder_on_a_disk();
        let mut talkers = Talker::pairs(4, WINDOW);
        let machine = Machine::start(folder.path());
        disk.lie_about_syncs();
        disk.cut_power_after(StdRng::seed_from_u64(seed).random_range(100..1_000), seed);
        clients().block_on(talk(&machine, &mut talkers, Until::Trouble));
        machine.die();
        disk.restore_power();
        let acked: usize = talkers.iter().map(|talker| talker.acked.len()).sum();
        // A database that does not hold together any more has lost everything.
        store::check(folder.path()).map_or(true, |report| report.events < acked as u64 || !report.troubles.is_empty())
    };
    assert!((0..CUTS_OF_A_CONTROL).any(lost));
}

#[test]
fn power_that_fails_during_the_start_leaves_what_there_was() {
    let (folder, disk) = folder_on_a_disk();
    let (clients, mut log, mut talkers) = (clients(), Log::default(), Talker::pairs(2, WINDOW));
    let mut failed = 0;
    for seed in 0..30 {
        // From an empty directory on: the making of the database is cut off, too.
        disk.cut_power_after(seed, seed);
        if store::Database::open(folder.path()).is_err() {
            failed += 1;
        }
        disk.cut_power(seed);
        disk.restore_power();
        if seed % 5 == 4 {
            let machine = Machine::start(folder.path());
            clients.block_on(talk(&machine, &mut talkers, Until::Acked(200)));
            disk.cut_power(seed);
            machine.die();
            disk.restore_power();
            let machine = Machine::start(folder.path());
            clients.block_on(log.check(&machine, &mut talkers));
            disk.cut_power(seed);
            machine.die();
            disk.restore_power();
        }
    }
    assert_eq!(log.acked, 6 * 2 * 200);
    assert!(failed >= 5, "{failed} starts were cut off");
}
