//! What the system says of this process, under the names that Prometheus' own clients use. Only Linux is asked.

use std::fmt::Write;

/// The lines of an exposition; none where the system cannot be asked.
#[cfg(target_os = "linux")]
pub(super) fn lines() -> String {
    let mut lines = String::new();
    let mut line = |name: &str, kind: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            let _ = write!(lines, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n\n");
        }
    };
    line("process_cpu_seconds_total", "counter", "Processor time that was used, in seconds.", cpu_seconds());
    line("process_resident_memory_bytes", "gauge", "Memory that is held, in bytes.", resident_bytes());
    line("process_open_fds", "gauge", "Open files.", open_files());
    line("process_max_fds", "gauge", "Files that may be open.", max_files());
    lines
}

#[cfg(not(target_os = "linux"))]
pub(super) fn lines() -> String {
    String::new()
}

#[cfg(target_os = "linux")]
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses, and may hold anything. These are the 14th and the 15th.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> Option<f64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some((pages * rustix::param::page_size() as u64) as f64)
}

#[cfg(target_os = "linux")]
fn open_files() -> Option<f64> {
    // The list itself is one of them.
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

#[cfg(target_os = "linux")]
fn max_files() -> Option<f64> {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.map(|files| files as f64)
}
