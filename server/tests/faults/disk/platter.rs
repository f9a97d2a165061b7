//! What one file would hold if the power failed now.
//!
//! The file itself shows what the operating system would show. Beside it this remembers, sector by sector, everything
//! that the platter may hold instead: what was there at the last sync, and each state since.

use rand::{Rng, rngs::StdRng};
use std::{collections::BTreeMap, ops::Range};

/// What a disk writes in one go, in bytes. A cut may still tear one in the middle.
pub(super) const SECTOR: usize = 512;

pub(super) type Bytes = [u8; SECTOR];

/// One file. It remembers as much as is written between two syncs that succeed.
#[derive(Debug)]
pub(super) struct Platter {
    /// The size that everybody sees, in bytes.
    size: u64,
    /// Counts changes, and so orders them.
    time: u64,
    /// The durable size, then every size since, each with its time.
    sizes: Vec<(u64, u64)>,
    /// The sectors of which it is not certain what the platter holds.
    uncertain: BTreeMap<u64, Sector>,
}

#[derive(Debug)]
struct Sector {
    /// The durable state, then every state since; never empty.
    states: Vec<State>,
    /// Whether the next sync writes it.
    dirty: bool,
    /// So many of the first states were there when a sync failed. The operating system believes them to be written;
    /// any of them may be what the platter holds, and no later sync changes that.
    lost: usize,
}

#[derive(Debug)]
struct State {
    time: u64,
    bytes: Bytes,
    /// A shrink of the file left this behind: the states before and after it are never mixed with other sectors'.
    shrink: bool,
}

/// What a power cut made of a file.
#[derive(Debug)]
pub(super) struct Landing {
    pub(super) size: u64,
    /// Sectors by number, with what they hold now.
    pub(super) sectors: Vec<(u64, Bytes)>,
}

/// Which changes reached the platter.
enum Survivors {
    /// Those up to a time, in their order; the next one is torn.
    Until(u64),
    /// Any, between two shrinks.
    Any(Range<u64>),
}

impl Platter {
    /// A file of a size, all of it durable.
    pub(super) fn new(size: u64) -> Platter {
        Platter { size, time: 0, sizes: vec![(0, size)], uncertain: BTreeMap::new() }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether a power cut would change nothing.
    pub(super) fn is_certain(&self) -> bool {
        self.uncertain.is_empty() && self.sizes.len() == 1
    }

    /// Something is written. `read` tells what a sector of the file holds before that.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], mut read: impl FnMut(u64) -> Bytes) {
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let (number, start) = (at / SECTOR as u64, (at % SECTOR as u64) as usize);
            let (these, others) = rest.split_at(rest.len().min(SECTOR - start));
            self.change(number, false, &mut read, |sector| sector[start..start + these.len()].copy_from_slice(these));
            (at, rest) = (at + these.len() as u64, others);
            if at > self.size {
                self.resize(at);
            }
        }
    }

    /// The file gets another size. What was beyond a smaller one is gone, whole: file systems see to that.
    pub(super) fn truncate(&mut self, size: u64, mut read: impl FnMut(u64) -> Bytes) {
        let before = self.time;
        let first = size / SECTOR as u64;
        for number in first..self.size.div_ceil(SECTOR as u64) {
            let kept = if number == first { (size % SECTOR as u64) as usize } else { 0 };
            // All of it happens at one time.
            self.time = before;
            self.change(number, true, &mut read, |sector| sector[kept..].fill(0));
        }
        self.time = before + 1;
        self.resize(size);
    }

    fn change(
        &mut self,
        number: u64,
        shrink: bool,
        read: &mut impl FnMut(u64) -> Bytes,
        change: impl FnOnce(&mut Bytes),
    ) {
        let beyond_the_end = number * SECTOR as u64 >= self.size;
        let before = self.time;
        let sector = self.uncertain.entry(number).or_insert_with(|| {
            let bytes = if beyond_the_end { [0; SECTOR] } else { read(number) };
            Sector { states: vec![State { time: before, bytes, shrink: false }], dirty: false, lost: 0 }
        });
        self.time += 1;
        let mut bytes = sector.newest();
        change(&mut bytes);
        sector.states.push(State { time: self.time, bytes, shrink });
        sector.dirty = true;
    }

    fn resize(&mut self, size: u64) {
        self.size = size;
        self.sizes.push((self.time, size));
    }

    /// A sync succeeded: what is dirty is durable now. What an earlier sync lost stays lost.
    pub(super) fn synced(&mut self) {
        self.uncertain.retain(|_, sector| !sector.dirty);
        self.uncertain.values_mut().for_each(Sector::forget_shrinks);
        self.sizes = vec![(self.time, self.size)];
    }

    /// A sync failed. As on Linux, what was dirty counts as written from now on, and is not.
    pub(super) fn sync_failed(&mut self) {
        for sector in self.uncertain.values_mut().filter(|sector| sector.dirty) {
            (sector.dirty, sector.lost) = (false, sector.states.len());
        }
    }

    /// The power fails.
    pub(super) fn land(&self, luck: &mut StdRng) -> Landing {
        let survivors = self.survivors(luck);
        let mut sectors: Vec<(u64, Bytes)> =
            self.uncertain.iter().map(|(number, sector)| (*number, sector.land(&survivors, luck))).collect();
        if let Survivors::Any(_) = survivors
            && !sectors.is_empty()
        {
            // Out of order, any sector may be the one that was being written.
            let torn = luck.random_range(0..sectors.len());
            let (number, bytes) = &mut sectors[torn];
            let sector = &self.uncertain[number];
            let other = sector.states[sector.any(&survivors, luck)].bytes;
            *bytes = torn_between(bytes, &other, luck);
        }
        Landing { size: self.landed_size(&survivors, luck), sectors }
    }

    /// Nothing, a part in order, everything, or (half the time) whatever the disk's queue happened to write first.
    fn survivors(&self, luck: &mut StdRng) -> Survivors {
        let durable = self.sizes[0].0;
        match luck.random_range(0..8) {
            0 => Survivors::Until(durable),
            1 => Survivors::Until(self.time),
            2 | 3 => Survivors::Until(luck.random_range(durable..=self.time)),
            _ => Survivors::Any(self.between_shrinks(luck)),
        }
    }

    /// The times between two shrinks of the file that follow each other.
    fn between_shrinks(&self, luck: &mut StdRng) -> Range<u64> {
        let shrinks = self.sizes.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[1].0);
        let borders: Vec<u64> = [0].into_iter().chain(shrinks).chain([u64::MAX]).collect();
        let chosen = luck.random_range(0..borders.len() - 1);
        borders[chosen]..borders[chosen + 1]
    }

    fn landed_size(&self, survivors: &Survivors, luck: &mut StdRng) -> u64 {
        match survivors {
            Survivors::Until(time) => self.sizes[self.sizes.partition_point(|(at, _)| at <= time).max(1) - 1].1,
            Survivors::Any(times) => {
                let possible: Vec<u64> =
                    self.sizes.iter().filter(|(at, _)| times.contains(at)).map(|(_, size)| *size).collect();
                possible.get(luck.random_range(0..possible.len().max(1))).copied().unwrap_or(self.sizes[0].1)
            }
        }
    }
}

impl Sector {
    fn newest(&self) -> Bytes {
        self.states[self.states.len() - 1].bytes
    }

    fn land(&self, survivors: &Survivors, luck: &mut StdRng) -> Bytes {
        let Survivors::Until(time) = survivors else {
            return self.states[self.any(survivors, luck)].bytes;
        };
        let landed = self.states.partition_point(|state| state.time <= *time).max(1) - 1;
        let bytes = self.states[self.unless_lost(landed, luck)].bytes;
        match self.states.get(landed + 1) {
            Some(next) if next.time == time + 1 && !next.shrink => torn_between(&next.bytes, &bytes, luck),
            _ => bytes,
        }
    }

    /// Any state that the sector had between the shrinks.
    fn any(&self, survivors: &Survivors, luck: &mut StdRng) -> usize {
        let Survivors::Any(times) = survivors else { return self.states.len() - 1 };
        let first = self.states.iter().rposition(|state| state.shrink && state.time <= times.start).unwrap_or(0);
        let end = self.states.iter().position(|state| state.shrink && state.time >= times.end);
        self.unless_lost(luck.random_range(first..end.unwrap_or(self.states.len())), luck)
    }

    /// Where a sync failed, what it should have written is as good as what was there before, back to a shrink.
    fn unless_lost(&self, state: usize, luck: &mut StdRng) -> usize {
        if state >= self.lost {
            return state;
        }
        let first = self.states[..=state].iter().rposition(|state| state.shrink).unwrap_or(0);
        let next = self.states[state + 1..self.lost].iter().position(|state| state.shrink);
        luck.random_range(first..next.map_or(self.lost, |next| state + 1 + next))
    }

    /// Shrinks are durable: what was before the last one cannot come back.
    fn forget_shrinks(&mut self) {
        let first = self.states.iter().rposition(|state| state.shrink).unwrap_or(0);
        self.states.drain(..first);
        self.lost = self.lost.saturating_sub(first);
        for state in &mut self.states {
            state.shrink = false;
        }
    }
}

/// The first bytes of one, the rest of the other.
fn torn_between(first: &Bytes, rest: &Bytes, luck: &mut StdRng) -> Bytes {
    let tear = luck.random_range(0..=SECTOR);
    let mut torn = *rest;
    torn[..tear].copy_from_slice(&first[..tear]);
    torn
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::HashSet;

    /// A file of four sectors of zeros.
    fn file() -> Platter {
        Platter::new(4 * SECTOR as u64)
    }

    fn zeros(_: u64) -> Bytes {
        [0; SECTOR]
    }

    /// A file's size, and the first and last byte of each uncertain sector.
    type Outcome = (u64, Vec<(u64, u8, u8)>);

    /// What may come of a file, over many cuts.
    fn outcomes(file: &Platter) -> HashSet<Outcome> {
        let land = |seed| file.land(&mut StdRng::seed_from_u64(seed));
        let tell = |(number, bytes): &(u64, Bytes)| (*number, bytes[0], bytes[SECTOR - 1]);
        (0..500).map(land).map(|landing| (landing.size, landing.sectors.iter().map(tell).collect())).collect()
    }

    #[test]
    fn what_was_synced_is_certain() {
        let mut file = file();
        file.write(0, &[1; 3 * SECTOR], zeros);
        assert!(!file.is_certain());
        file.synced();
        assert!(file.is_certain());
        assert_eq!(outcomes(&file), [(4 * SECTOR as u64, vec![])].into());
    }

    #[test]
    fn what_was_not_synced_is_old_or_new_or_torn_and_not_in_order() {
        let mut file = file();
        file.write(0, &[1; 2 * SECTOR], zeros);
        let seen: HashSet<Vec<_>> = outcomes(&file).into_iter().map(|(_, sectors)| sectors).collect();
        let both = |first, second| vec![(0, first, first), (1, second, second)];
        for possible in [both(0, 0), both(1, 0), both(0, 1), both(1, 1), vec![(0, 1, 0), (1, 0, 0)]] {
            assert!(seen.contains(&possible), "{possible:?} is not in {seen:?}");
        }
    }

    #[test]
    fn bytes_beside_what_was_written_stay() {
        let mut file = file();
        file.write(SECTOR as u64 + 10, &[1; 20], |_| [7; SECTOR]);
        for seed in 0..100 {
            for (number, bytes) in file.land(&mut StdRng::seed_from_u64(seed)).sectors {
                assert_eq!(number, 1);
                assert!(bytes[..10].iter().chain(&bytes[30..]).all(|byte| *byte == 7));
            }
        }
    }

    #[test]
    fn what_a_failed_sync_lost_no_later_sync_brings_back() {
        let mut file = file();
        file.write(0, &[1; SECTOR], zeros);
        file.sync_failed();
        file.write(2 * SECTOR as u64, &[2; SECTOR], zeros);
        file.synced();
        let seen: HashSet<Vec<_>> = outcomes(&file).into_iter().map(|(_, sectors)| sectors).collect();
        assert!(seen.contains(&vec![(0, 0, 0)]), "{seen:?}");
        assert!(seen.iter().all(|sectors| sectors.len() == 1), "the later write is durable");
        // Only writing it again does.
        file.write(0, &[1; SECTOR], zeros);
        file.synced();
        assert!(file.is_certain());
    }

    #[test]
    fn a_size_is_one_that_the_file_had() {
        let mut file = file();
        let old = file.size();
        file.write(old, &[1; 2 * SECTOR], zeros);
        let sizes: HashSet<u64> = outcomes(&file).into_iter().map(|(size, _)| size).collect();
        assert_eq!(sizes, [old, old + SECTOR as u64, old + 2 * SECTOR as u64].into());
    }

    #[test]
    fn a_shrink_happened_whole_or_not_at_all() {
        let mut file = Platter::new(3 * SECTOR as u64);
        file.truncate(0, |_| [9; SECTOR]);
        file.write(0, &[1; SECTOR], zeros);
        for (size, sectors) in outcomes(&file) {
            match size / SECTOR as u64 {
                3 => assert!(sectors.iter().all(|(_, first, last)| (*first, *last) == (9, 9)), "{sectors:?}"),
                _ => assert!(sectors.iter().all(|(_, first, last)| *first != 9 && *last != 9), "{sectors:?}"),
            }
        }
    }
}
