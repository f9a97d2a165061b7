//! What the operating system has counted: CPU time, memory, and how busy the machine is (`man 5 proc`).

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{fs, path::PathBuf, time::Duration};

/// `/proc` counts CPU time in hundredths of a second on every architecture that Linux runs on today.
const TICK: Duration = Duration::from_millis(10);

/// Where a process or a thread is accounted for.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    folder: PathBuf,
}

impl Account {
    pub(crate) fn of_process(id: u32) -> Account {
        Account { folder: format!("/proc/{id}").into() }
    }

    /// The thread that calls this; readable from every other.
    pub(crate) fn of_this_thread() -> Result<Account> {
        let thread = fs::read_link("/proc/thread-self").context("look this thread up in /proc")?;
        Ok(Account { folder: PathBuf::from("/proc").join(thread) })
    }

    /// CPU time so far, in user space and in the kernel.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = self.read("stat")?;
        // The program's name stands in parentheses and may hold anything; the state follows it.
        let (_, numbers) = stat.rsplit_once(") ").context("find the end of the program's name in /proc/…/stat")?;
        let ticks = |field| numbers.split(' ').nth(field).and_then(|ticks: &str| ticks.parse::<u32>().ok());
        let (user, kernel) = ticks(11).zip(ticks(12)).context("read utime and stime in /proc/…/stat")?;
        Ok(TICK * (user + kernel))
    }

    /// Memory that it has in user space.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let status = self.read("status")?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            Ok::<f64, anyhow::Error>(kib.with_context(|| format!("read {name} in /proc/…/status"))? * 1024.0)
        };
        Ok(Memory { resident: bytes("VmRSS:")?, anonymous: bytes("RssAnon:")? })
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = self.folder.join(file);
        fs::read_to_string(&path).with_context(|| format!("read {}: has the server ended?", path.display()))
    }
}

/// Bytes of a process's memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    /// What of it belongs to no file: without the program's text and a database's pages.
    pub(crate) anonymous: f64,
}

/// CPU time that the whole machine spent, and that it had.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    pub(crate) busy: Duration,
    pub(crate) all: Duration,
}

impl Machine {
    pub(crate) fn now() -> Result<Machine> {
        let stat = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
        let first = stat.lines().next().unwrap_or_default();
        // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in user already.
        let ticks: Vec<u64> = first.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
        let all: u64 = ticks.iter().sum();
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        let time = |ticks: u64| Duration::from_millis(ticks * 10);
        Ok(Machine { busy: time(all - idle), all: time(all) })
    }
}

/// How many tasks wanted to run in the last 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let line = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    line.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Takes as many open files as this process may have, for itself and for the servers that it starts. Gives how many.
pub(crate) fn raise_open_files_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let allowed = if raised { maximum } else { current };
    allowed.map_or(usize::MAX, |files| files as usize)
}
