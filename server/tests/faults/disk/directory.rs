//! The files of a disk, and which of them would be there if the power failed now.

use super::platter::{Landing, Platter, SECTOR};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Names and files; ordered, so that one seed gives one outcome.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// Files that are open or not certain.
    files: BTreeMap<PathBuf, Entry>,
    /// Names that came or went since the directory was synced, and what they stood for then.
    before: BTreeMap<PathBuf, Before>,
}

#[derive(Debug)]
struct Entry {
    platter: Platter,
    handles: usize,
}

#[derive(Debug)]
enum Before {
    Nothing,
    File(Vec<u8>, Platter),
}

impl Directory {
    /// A file is opened, and has this size. It was made for that, or not.
    pub(super) fn open(&mut self, path: &Path, size: u64, made: bool) {
        if made {
            self.before.entry(path.to_owned()).or_insert(Before::Nothing);
        }
        let entry = self.files.entry(path.to_owned());
        entry.or_insert_with(|| Entry { platter: Platter::new(size), handles: 0 }).handles += 1;
    }

    pub(super) fn close(&mut self, path: &Path) {
        if let Some(entry) = self.files.get_mut(path) {
            entry.handles -= 1;
            if entry.handles == 0 && entry.platter.is_certain() {
                self.files.remove(path);
            }
        }
    }

    /// How many files are open, each as often as it is.
    pub(super) fn handles(&self) -> usize {
        self.files.values().map(|entry| entry.handles).sum()
    }

    /// An open file.
    pub(super) fn file(&mut self, path: &Path) -> &mut Platter {
        &mut self.files.get_mut(path).expect("who holds a handle has opened the file").platter
    }

    /// A file is about to be deleted. Nobody has it open: SQLite closes first.
    pub(super) fn delete(&mut self, path: &Path) -> io::Result<()> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        let platter = self.files.remove(path).map_or_else(|| Platter::new(bytes.len() as u64), |entry| entry.platter);
        self.before.entry(path.to_owned()).or_insert(Before::File(bytes, platter));
        Ok(())
    }

    /// The directory was synced: its names are durable.
    pub(super) fn synced(&mut self) {
        self.before.clear();
    }

    /// The power failed: makes the files what a cut leaves of them. From then on everything is durable.
    pub(super) fn land(&mut self, seed: u64) -> io::Result<()> {
        let mut luck = StdRng::seed_from_u64(seed);
        let (mut files, before) = (std::mem::take(&mut self.files), std::mem::take(&mut self.before));
        for (path, before) in before {
            if luck.random() {
                continue;
            }
            files.remove(&path);
            match before {
                Before::Nothing => remove(&path)?,
                Before::File(bytes, platter) => {
                    fs::write(&path, bytes)?;
                    write(&path, platter.land(&mut luck))?;
                }
            }
        }
        for (path, entry) in files {
            write(&path, entry.platter.land(&mut luck))?;
        }
        Ok(())
    }
}

fn write(path: &Path, landing: Landing) -> io::Result<()> {
    let file: File = OpenOptions::new().write(true).open(path)?;
    for (number, bytes) in landing.sectors {
        file.write_all_at(&bytes, number * SECTOR as u64)?;
    }
    file.set_len(landing.size)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
