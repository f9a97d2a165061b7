//! What one commit costs where a server keeps its data: the disk's own fdatasync.

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use std::{
    fs,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

/// A page of SQLite, as it goes to the WAL.
const PAGE: [u8; 4_096] = [0x5a; 4_096];

/// Commits that are measured at a time.
const COMMITS: usize = 100;

/// A commit takes no longer than that.
const MAX_COMMIT: Duration = Duration::from_secs(10);

/// Where servers keep their data: beside what cargo builds, because the system's temporary folder may be no disk.
pub(crate) fn data_folder() -> Result<&'static Path> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// How long commits took.
pub(crate) struct Commits {
    /// In microseconds.
    times: Histogram<u64>,
}

impl Commits {
    pub(crate) fn none() -> Commits {
        let times = Histogram::new_with_max(MAX_COMMIT.as_micros() as u64, 3);
        Commits { times: times.expect("the bounds are those of a histogram") }
    }

    /// Measures some more, on the disk where the servers' directories are made.
    pub(crate) fn measure(&mut self) -> Result<()> {
        let mut file = tempfile::tempfile_in(data_folder()?).context("make a file to write to")?;
        for _ in 0..COMMITS {
            let begun = Instant::now();
            file.write_all(&PAGE).and_then(|()| file.sync_data()).context("write to the disk")?;
            self.times.saturating_record(begun.elapsed().as_micros() as u64);
        }
        Ok(())
    }

    /// Milliseconds that a commit takes.
    pub(crate) fn millis(&self, quantile: f64) -> f64 {
        self.times.value_at_quantile(quantile) as f64 / 1e3
    }
}
