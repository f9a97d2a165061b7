//! A slow disk: batches grow, the queue is bounded, then "busy", and memory stays flat.

use crate::{
    disk::Disk,
    log::Log,
    machine::{Machine, clients},
    talker::{Talker, Until},
};
use futures::future::join_all;
use std::{fs, time::Duration};

const SYNC: Duration = Duration::from_millis(500);

/// Together more than the queue of 4,096 and a batch of 1,024 hold. A socket has 32 on their way.
const TALKERS: usize = 240;
const WINDOW: usize = 32;

/// Messages that each talker has acknowledged in the end.
const MESSAGES: usize = 40;

/// How much the process may grow meanwhile, in bytes: its clients are in it, too.
const GROWTH: u64 = 128 * 1024 * 1024;

/// The memory of this process, in bytes; none where the system does not tell.
fn memory() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    pages.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4_096)
}

#[test]
fn on_a_slow_disk_batches_grow_then_senders_are_told_to_come_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = Disk::in_directory(folder.path());
    let machine = Machine::start(folder.path());
    let mut talkers = Talker::pairs(TALKERS, WINDOW);
    let before = memory();
    clients().block_on(async {
        join_all(talkers.iter_mut().map(|talker| talker.talk(&machine, Until::Acked(1)))).await;
        disk.slow_syncs(SYNC);
        let syncs = disk.tally().syncs;
        join_all(talkers.iter_mut().map(|talker| talker.talk(&machine, Until::Acked(MESSAGES)))).await;
        let syncs = disk.tally().syncs - syncs;
        let kept = (TALKERS * MESSAGES) as u64;
        assert!(kept / syncs >= 300, "{kept} messages took {syncs} syncs");
        let refused: Vec<&str> = talkers.iter().flat_map(|talker| &talker.refused).map(String::as_str).collect();
        assert!(!refused.is_empty(), "more was on its way than the queue holds");
        assert!(refused.iter().all(|words| words.contains("a lot to write")), "{:?}", refused[0]);
        if let (Some(before), Some(after)) = (before, memory()) {
            assert!(after < before + GROWTH, "from {before} to {after} bytes");
        }
        disk.heal();
        let mut log = Log::default();
        log.check(&machine, &mut talkers).await;
        assert_eq!(log.len(), TALKERS * (MESSAGES + 1));
    });
    drop(talkers);
    machine.stop();
}
