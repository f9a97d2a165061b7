//! A full disk: refused with the reason, reads go on, and it recovers by itself.

use crate::{
    disk::Disk,
    log::Log,
    machine::{Machine, clients},
    talker::{Talker, Until},
};
use app::protocol::{ErrorCode, ServerFrame};
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How soon messages are kept again after there is space again.
const RECOVERY: Duration = Duration::from_secs(5);

/// Messages of 2,000 bytes, more than fit into the small file system.
const MESSAGES: u64 = 2_000;

/// Messages that show that there is space again.
const RECOVERED: u64 = 10;

/// A file system of its own, in memory, until this is dropped.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// None where nobody may mount.
    pub(crate) fn mount(options: &str) -> Option<SmallDisk> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(SmallDisk(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking(), "it is not in use");
    }
}

/// Says long things until one is refused, and answers how many are kept. The reason is told, and reads go on.
async fn fill(machine: &Machine) -> u64 {
    let mut author = machine.enter("x").await;
    let before = machine.history("x", "limit=1").await.head.0;
    for kept in before..MESSAGES {
        let id = author.say(&"x".repeat(2_000)).await;
        let refusal = author
            .find("an answer", |frame| match frame {
                ServerFrame::Ack(ack) => (ack.id == id).then_some(None),
                ServerFrame::Error(error) => Some(Some(error.clone())),
                _ => None,
            })
            .await;
        if let Some(error) = refusal {
            assert_eq!((error.code, error.id), (ErrorCode::Busy, Some(id)));
            assert!(error.text.contains("full") && error.retry_after_ms.is_some(), "{error:?}");
            let page = machine.history("x", "limit=200").await;
            assert_eq!((page.head.0, page.events.len() as u64), (kept, kept.min(200)), "reads go on");
            return kept;
        }
    }
    panic!("{MESSAGES} messages fit");
}

/// Waits until messages are kept again.
fn recovers(machine: &Machine, kept: u64) {
    let since = Instant::now();
    let mut talkers = [Talker::new(0, "x", 4)];
    let mut log = Log::default();
    clients().block_on(async {
        talkers[0].talk(machine, Until::Acked(RECOVERED as usize)).await;
        assert!(since.elapsed() < RECOVERY, "{:?}", since.elapsed());
        log.check(machine, &mut talkers).await;
    });
    assert_eq!(log.len() as u64, kept + RECOVERED, "what was refused is not there, what was acknowledged is");
}

#[test]
fn a_full_disk_refuses_with_the_reason_and_recovers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = Disk::in_directory(folder.path());
    let machine = Machine::start(folder.path());
    clients().block_on(async { machine.enter("x").await.is_alive().await });
    disk.set_full(true);
    let kept = clients().block_on(fill(&machine));
    disk.set_full(false);
    recovers(&machine, kept);
    disk.cut_power(0);
    machine.die();
    disk.restore_power();
    let machine = Machine::start(folder.path());
    let page = clients().block_on(machine.history("x", "limit=1"));
    assert_eq!(page.head.0, kept + RECOVERED, "and survives a power cut");
    machine.stop();
}

#[test]
fn a_file_system_without_space_refuses_with_the_reason_and_recovers() {
    let Some(small) = SmallDisk::mount("size=3m") else {
        println!("skipped: mounting a small file system is not permitted here");
        return;
    };
    let ballast = small.path().join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).expect("there is space");
    let machine = Machine::start(small.path());
    let kept = clients().block_on(fill(&machine));
    fs::remove_file(ballast).expect("it is there");
    recovers(&machine, kept);
    machine.stop();
}

#[test]
fn a_file_system_that_is_full_at_the_start_is_an_error_that_says_so() {
    let Some(small) = SmallDisk::mount("size=64k") else {
        println!("skipped: mounting a small file system is not permitted here");
        return;
    };
    fs::write(small.path().join("ballast"), vec![0; 128 << 10]).expect_err("there is no space");
    let (code, stderr) = crate::directory::served(small.path());
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("full") || stderr.contains("space"), "{stderr}");
    assert!(stderr.contains("--data"), "{stderr}");
}
