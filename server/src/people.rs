//! The people connected: one person however many tabs, each with a name of their own.

mod rate;
mod skeleton;

use app::protocol::{Limits, NickName};
use parking_lot::Mutex;
use rand::Rng;
use rate::{Bucket, Rate};
pub(crate) use skeleton::Skeleton;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Waker,
    time::Duration,
};

/// Letters and digits of a guest's name: no two of them look alike.
const GUEST_LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstvwxyz";

/// How often a free guest name is looked for before it grows by a letter.
const GUEST_TRIES: usize = 64;

/// A browser, told by its cookie: 128 random bits. Whoever knows it is that browser. Bytes, because they ask for no alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VisitorId([u8; 16]);

/// A person while connected. Random, so that it means nobody else later: messages are kept with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub(crate) u64);

/// What a person is called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The name.
    pub name: NickName,
    /// Whether the person chose it.
    pub named: bool,
}

/// Somebody is called that, or something that looks like it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} is taken")]
pub struct NameTaken {
    /// The name that was asked for.
    pub wanted: NickName,
    /// A name like it that was free a moment ago.
    pub suggestion: Option<NickName>,
}

/// Everybody who is connected. Cloning is cheap.
#[derive(Clone)]
pub struct People {
    inner: Arc<Inner>,
}

struct Inner {
    limits: Limits,
    rate: Rate,
    known: Mutex<Known>,
}

/// Trees, because they give their memory back piece by piece when a crowd leaves.
#[derive(Default)]
struct Known {
    visitors: BTreeMap<VisitorId, Arc<Person>>,
    /// Who is called what. Exactly one entry for each person connected.
    names: BTreeMap<Skeleton, PersonId>,
    /// Connections that ever came: what tells the tabs of one person apart.
    arrivals: u64,
}

#[derive(Debug)]
struct Person {
    id: PersonId,
    visitor: Option<VisitorId>,
    /// Rises with every change of the name, after it.
    version: AtomicU32,
    bucket: Bucket,
    now: Mutex<Now>,
}

/// What changes of a person while connected.
#[derive(Debug)]
struct Now {
    called: Called,
    /// The open connections. They come and go only while [`Known`] is locked.
    tabs: Vec<Tab>,
}

#[derive(Debug)]
struct Tab {
    arrival: u64,
    /// Who wants to hear of a change of name there.
    waker: Option<Waker>,
}

/// One connection of a person. When the last one is dropped, the person has gone and the name is free.
pub struct Presence {
    people: People,
    person: Arc<Person>,
    /// Which of the person's tabs this is.
    arrival: u64,
}

impl From<u128> for VisitorId {
    fn from(bits: u128) -> VisitorId {
        VisitorId(bits.to_be_bytes())
    }
}

/// As the cookie has it: 32 hexadecimal digits.
impl fmt::Display for VisitorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl People {
    /// Nobody yet. Everybody will be held to `limits`.
    pub fn new(limits: Limits) -> People {
        People { inner: Arc::new(Inner { limits, rate: Rate::new(limits), known: Mutex::default() }) }
    }

    /// What a client must keep to.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// A connection arrives: another tab of somebody who is here, or a guest.
    pub fn arrive(&self, visitor: Option<VisitorId>) -> Presence {
        let mut known = self.inner.known.lock();
        let here = visitor.as_ref().and_then(|visitor| known.visitors.get(visitor)).cloned();
        let person = here.unwrap_or_else(|| self.guest(&mut known, visitor));
        known.arrivals += 1;
        person.open_tab(known.arrivals);
        Presence { people: self.clone(), person, arrival: known.arrivals }
    }

    fn guest(&self, known: &mut Known, visitor: Option<VisitorId>) -> Arc<Person> {
        let id = PersonId(rand::random());
        let (skeleton, name) = known.free_guest_name();
        known.names.insert(skeleton, id);
        let person = Arc::new(Person {
            id,
            visitor,
            version: AtomicU32::new(0),
            bucket: Bucket::default(),
            now: Mutex::new(Now { called: Called { name, named: false }, tabs: Vec::new() }),
        });
        if let Some(visitor) = visitor {
            known.visitors.insert(visitor, person.clone());
        }
        person
    }
}

impl Known {
    fn free_guest_name(&self) -> (Skeleton, NickName) {
        (0..)
            .map(|attempt| guest_name(4 + attempt / GUEST_TRIES))
            .map(|name| (Skeleton::of(&name), name))
            .find(|(skeleton, _)| !self.names.contains_key(skeleton))
            .expect("a longer name is always free")
    }

    fn is_free_for(&self, person: PersonId, skeleton: &Skeleton) -> bool {
        self.names.get(skeleton).is_none_or(|owner| *owner == person)
    }

    /// `anna2`, `anna3` … the first that nobody has.
    fn suggestion(&self, person: PersonId, wanted: &NickName) -> Option<NickName> {
        let stem: String = wanted.as_str().chars().take(NickName::MAX_CHARS - 2).collect();
        (2..100)
            .filter_map(|number| NickName::parse(&format!("{stem}{number}")).ok())
            .find(|name| self.is_free_for(person, &Skeleton::of(name)))
    }
}

fn guest_name(letters: usize) -> NickName {
    let mut random = rand::rng();
    let tail: String =
        (0..letters).map(|_| char::from(GUEST_LETTERS[random.random_range(0..GUEST_LETTERS.len())])).collect();
    NickName::parse(&format!("guest-{tail}")).expect("letters and digits, and few")
}

impl Person {
    fn open_tab(&self, arrival: u64) {
        let tabs = &mut self.now.lock().tabs;
        // Nearly everybody has one: no place is held for more.
        tabs.reserve_exact(1);
        tabs.push(Tab { arrival, waker: None });
    }

    /// Gives back the waker that was there, because dropping it may do anything: no lock is to be held meanwhile.
    fn replace_waker(&self, arrival: u64, waker: Option<Waker>) -> Option<Waker> {
        let mut now = self.now.lock();
        let tab = now.tabs.iter_mut().find(|tab| tab.arrival == arrival)?;
        std::mem::replace(&mut tab.waker, waker)
    }

    /// Closes a tab and tells whether it was the last one.
    fn close_tab(&self, arrival: u64) -> bool {
        let tabs = &mut self.now.lock().tabs;
        tabs.retain(|tab| tab.arrival != arrival);
        tabs.is_empty()
    }

    /// Takes a name. Whoever listens is to be woken when no lock is held any more.
    fn become_called(&self, called: Called) -> Vec<Waker> {
        let mut now = self.now.lock();
        now.called = called;
        self.version.fetch_add(1, Ordering::Release);
        now.tabs.iter().filter_map(|tab| tab.waker.clone()).collect()
    }

    fn skeleton(&self) -> Skeleton {
        Skeleton::of(&self.now.lock().called.name)
    }
}

impl Presence {
    /// Who this is, among the people connected.
    pub fn id(&self) -> PersonId {
        self.person.id
    }

    /// The browser, where it told.
    pub fn visitor(&self) -> Option<VisitorId> {
        self.person.visitor
    }

    /// What the person is called now.
    pub fn called(&self) -> Called {
        self.person.now.lock().called.clone()
    }

    /// Rises with every change of that. Who reads the version first and then the name has at least that version's name.
    pub fn version(&self) -> u32 {
        self.person.version.load(Ordering::Acquire)
    }

    /// Wakes `waker` at every change of name, by this tab or another, until this is dropped or listens with another waker.
    /// What changed before is not told again: listen first, then compare the [`version`](Self::version).
    pub fn listen(&self, waker: Waker) {
        self.person.replace_waker(self.arrival, Some(waker));
    }

    /// Takes a name, on all tabs of this person. One's own name may be taken again, differently written.
    pub fn take_name(&self, name: NickName) -> Result<(), NameTaken> {
        // A statement of its own: no lock is held when the tabs are woken.
        let listening = self.take_free_name(name)?;
        listening.into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn take_free_name(&self, name: NickName) -> Result<Vec<Waker>, NameTaken> {
        let skeleton = Skeleton::of(&name);
        let mut known = self.people.inner.known.lock();
        if !known.is_free_for(self.id(), &skeleton) {
            let suggestion = known.suggestion(self.id(), &name);
            return Err(NameTaken { wanted: name, suggestion });
        }
        known.names.remove(&self.person.skeleton());
        known.names.insert(skeleton, self.id());
        Ok(self.person.become_called(Called { name, named: true }))
    }

    /// Counts one message against the person's limit, or tells how long to wait.
    pub fn spend_message(&self) -> Result<(), Duration> {
        self.people.inner.rate.spend(&self.person.bucket)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.person.replace_waker(self.arrival, None);
        let mut known = self.people.inner.known.lock();
        if !self.person.close_tab(self.arrival) {
            return;
        }
        known.names.remove(&self.person.skeleton());
        if let Some(visitor) = &self.person.visitor {
            known.visitors.remove(visitor);
        }
    }
}

#[cfg(test)]
mod tests;
