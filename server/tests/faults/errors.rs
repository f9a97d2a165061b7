//! Reads, writes and syncs that fail: no false ack, and everything works again by itself.

use crate::{
    disk::Disk,
    log::Log,
    machine::{Machine, clients},
    talker::{Talker, Until},
};
use futures::future::join_all;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Errors that are made up, over all servers.
const ERRORS: u64 = 1_000;

/// Servers that go through them side by side: each waits a moment after an error.
const SERVERS: u64 = 16;

/// How soon messages are kept again when the disk works again.
const RECOVERY: Duration = Duration::from_secs(5);

/// How long the errors may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lets two people talk to a server on a failing disk, and answers how many errors there were. What was acknowledged is
/// there after a power cut.
async fn suffer(data: &Path, disk: &Disk, machine: &Machine, errors: u64, seed: u64) -> Vec<Talker> {
    let mut talkers = Talker::pairs(2, 16);
    join_all(talkers.iter_mut().map(|talker| talker.talk(machine, Until::Acked(20)))).await;
    disk.fail_syncs(0.4, seed);
    disk.fail_writes(0.05, seed);
    disk.fail_reads(0.02, seed);
    let began = Instant::now();
    while disk.tally().injected < errors {
        assert!(began.elapsed() < PATIENCE, "{:?} in {}", disk.tally(), data.display());
        join_all(talkers.iter_mut().map(|talker| talker.talk(machine, Until::Acked(10)))).await;
    }
    disk.heal();
    let healed = Instant::now();
    join_all(talkers.iter_mut().map(|talker| talker.talk(machine, Until::Acked(10)))).await;
    assert!(healed.elapsed() < RECOVERY, "{:?}", healed.elapsed());
    talkers
}

struct Patient {
    folder: TempDir,
    disk: Disk,
    machine: Machine,
}

impl Patient {
    fn new() -> Patient {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Disk::in_directory(folder.path());
        Patient { machine: Machine::start(folder.path()), disk, folder }
    }

    /// Cuts the power, and holds the log against what the talkers were promised.
    fn cut_and_check(self, clients: &Runtime, talkers: &mut [Talker], seed: u64) {
        let Patient { folder, disk, machine } = self;
        disk.cut_power(seed);
        machine.die();
        disk.restore_power();
        let machine = Machine::start(folder.path());
        let mut log = Log::default();
        clients.block_on(log.check(&machine, talkers));
        let said: u64 = talkers.iter().map(|talker| talker.said).sum();
        assert_eq!(log.len() as u64, said, "everything was acknowledged in the end, and is there once");
        machine.stop();
    }
}

#[test]
fn a_thousand_errors_of_writes_and_syncs_and_not_one_false_ack() {
    let clients = clients();
    let patients: Vec<Patient> = (0..SERVERS).map(|_| Patient::new()).collect();
    let suffering = patients.iter().zip(0..).map(|(patient, seed)| {
        suffer(patient.folder.path(), &patient.disk, &patient.machine, ERRORS.div_ceil(SERVERS), seed)
    });
    let talkers = clients.block_on(join_all(suffering));
    let injected: u64 = patients.iter().map(|patient| patient.disk.tally().injected).sum();
    assert!(injected >= ERRORS, "{injected}");
    for ((patient, mut talkers), seed) in patients.into_iter().zip(talkers).zip(0..) {
        assert!(talkers.iter().any(|talker| !talker.refused.is_empty()), "nobody was told of any trouble");
        patient.cut_and_check(&clients, &mut talkers, seed);
    }
}

#[test]
fn who_cannot_be_read_to_is_told_so_and_writing_goes_on() {
    let (clients, patient) = (clients(), Patient::new());
    let mut talkers = Talker::pairs(2, 16);
    clients.block_on(async {
        join_all(talkers.iter_mut().map(|talker| talker.talk(&patient.machine, Until::Acked(500)))).await;
        patient.disk.fail_reads(1.0, 0);
        // More than any cache holds is asked for, and nothing that comes is garbage.
        let mut failed = 0;
        for after in (0..1_000).step_by(100) {
            let answer = patient.machine.get(&format!("/api/v1/rooms/room-0/events?after={after}&limit=100")).await;
            match answer.status {
                200 => assert_eq!(answer.json::<app::protocol::Page>().events.len(), 100),
                503 => failed += 1,
                status => panic!("{status}: {}", answer.text()),
            }
        }
        assert!(failed > 0, "no read reached the disk");
        patient.disk.heal();
        join_all(talkers.iter_mut().map(|talker| talker.talk(&patient.machine, Until::Acked(10)))).await;
    });
    patient.cut_and_check(&clients, &mut talkers, 0);
}

#[test]
fn who_comes_while_the_log_cannot_be_read_is_sent_away_to_come_back_and_not_told_anything_made_up() {
    let (clients, patient) = (clients(), Patient::new());
    let mut talkers = Talker::pairs(2, 16);
    clients.block_on(async {
        join_all(talkers.iter_mut().map(|talker| talker.talk(&patient.machine, Until::Acked(500)))).await;
        patient.disk.fail_reads(1.0, 0);
        loses_its_readers(&patient.machine).await;
        // Nobody has this room open, so that where it stands has to be looked up.
        let first = patient.machine.connect("room=room-9&after=3").await.next_or_close().await;
        assert_eq!(first.expect_err("nothing is known of the room"), app::protocol::close::INTERNAL);
        patient.disk.heal();
        let status = patient.machine.connect("room=room-0&after=3").await.status().await;
        assert!(status.head.0 >= 500, "{status:?}");
    });
}

/// The readers' connections keep SQLite's index of the log alive, which knows that a commit whose sync failed is none.
/// Where reads fail, they are gone.
#[test]
fn a_commit_whose_sync_failed_is_not_taken_for_one_that_succeeded_when_no_reader_is_left() {
    for seed in 0..10 {
        let (clients, patient) = (clients(), Patient::new());
        let mut talkers = Talker::pairs(2, 16);
        clients.block_on(async {
            join_all(talkers.iter_mut().map(|talker| talker.talk(&patient.machine, Until::Acked(500)))).await;
            patient.disk.fail_reads(1.0, 0);
            loses_its_readers(&patient.machine).await;
            patient.disk.heal();
            // The commit's, and the one with which the last connection wants to close the log.
            patient.disk.fail_next_syncs(2);
            talkers[0].talk(&patient.machine, Until::Acked(1)).await;
        });
        patient.cut_and_check(&clients, &mut talkers, seed);
    }
}

/// Asks for more than any cache holds, until the log cannot be read.
async fn loses_its_readers(machine: &Machine) {
    for _ in 0..10 {
        for after in (0..1_000).step_by(100) {
            let path = format!("/api/v1/rooms/room-0/events?after={after}&limit=100");
            if machine.get(&path).await.status == 503 {
                return;
            }
        }
    }
    panic!("no read reached the disk");
}
