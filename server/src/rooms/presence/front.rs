//! The first people of a room in alphabetical order. The others are not kept in order: nobody sees them.

use crate::people::PersonId;
use app::protocol::{MAX_LISTED_USERS, NickName};
use std::{cmp::Ordering, collections::BinaryHeap};

/// People in the front, at most. As many again as are shown: so many may leave before the others are searched for those
/// who move up.
const MAX_FRONT: usize = 2 * MAX_LISTED_USERS;

/// Somebody's place in the list: alphabetical without regard to case. Names that differ only in case, and the same name
/// twice, stay apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: NickName,
    pub(super) person: PersonId,
}

/// In order, at most [`MAX_FRONT`]. Nobody outside comes before the last one here.
#[derive(Debug, Default)]
pub(super) struct Front(Vec<Listed>);

impl Front {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Somebody comes, beside those of whom the front has `everybody` or only the first.
    pub(super) fn add(&mut self, listed: Listed, everybody: bool) {
        let place = self.0.partition_point(|one| *one < listed);
        if place < self.0.len() || everybody {
            self.0.insert(place, listed);
            self.0.truncate(MAX_FRONT);
        }
    }

    /// Somebody goes, from here or from outside.
    pub(super) fn remove(&mut self, listed: &Listed) {
        if let Ok(place) = self.0.binary_search(listed) {
            self.0.remove(place);
        }
    }

    /// Begins again with the first of everybody.
    pub(super) fn fill(&mut self, everybody: impl ExactSizeIterator<Item = Listed>) {
        let mut first = BinaryHeap::with_capacity(everybody.len().min(MAX_FRONT));
        for listed in everybody {
            if first.len() < MAX_FRONT {
                first.push(listed);
            } else if let Some(mut last) = first.peek_mut()
                && listed < *last
            {
                *last = listed;
            }
        }
        self.0 = first.into_sorted_vec();
    }

    /// Those who are shown.
    pub(super) fn shown(&self) -> impl Iterator<Item = &NickName> {
        self.0.iter().take(MAX_LISTED_USERS).map(|listed| &listed.name)
    }

    /// Gives back the place of those who left.
    pub(super) fn rest(&mut self) {
        self.0.shrink_to_fit();
    }
}

impl Ord for Listed {
    fn cmp(&self, other: &Self) -> Ordering {
        alphabetical(self.name.as_str(), other.name.as_str()).then(self.person.cmp(&other.person))
    }
}

impl PartialOrd for Listed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares lower-case letters without writing them down. A sigma is a sigma, at the end of a word as well.
fn alphabetical(a: &str, b: &str) -> Ordering {
    let bytes = a.bytes().zip(b.bytes()).map(|(a, b)| (a.to_ascii_lowercase(), b.to_ascii_lowercase()));
    for (at, (one, other)) in bytes.enumerate() {
        if !one.is_ascii() || !other.is_ascii() {
            // Everything before is ASCII, so that a letter begins here in both.
            return letters(&a[at..]).cmp(letters(&b[at..]));
        }
        if one != other {
            return one.cmp(&other);
        }
    }
    a.len().cmp(&b.len())
}

fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().flat_map(char::to_lowercase).map(|letter| if letter == 'ς' { 'σ' } else { letter })
}
