//! The people connected: one person however many tabs, each with a name of their own.

mod rate;
mod skeleton;

use app::protocol::{Limits, NickName};
use parking_lot::Mutex;
use rand::Rng;
use rate::RateLimit;
pub(crate) use skeleton::Skeleton;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// Letters and digits of a guest's name: no two of them look alike.
const GUEST_LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstvwxyz";

/// How often a free guest name is looked for before it grows by a letter.
const GUEST_TRIES: usize = 64;

/// A browser, told by its cookie. Whoever knows it is that browser.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VisitorId(pub Arc<str>);

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
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    visitors: HashMap<VisitorId, Arc<Person>>,
    /// Who is called what. Exactly one entry for each person connected.
    names: HashMap<Skeleton, PersonId>,
}

#[derive(Debug)]
struct Person {
    id: PersonId,
    visitor: Option<VisitorId>,
    called: watch::Sender<Called>,
    rate: RateLimit,
    /// Open connections. Changed only while [`Known`] is locked.
    connections: AtomicUsize,
}

/// One connection of a person. When the last one is dropped, the person has gone and the name is free.
pub struct Presence {
    people: People,
    person: Arc<Person>,
}

impl People {
    /// Nobody yet. Everybody will be held to `limits`.
    pub fn new(limits: Limits) -> People {
        People { inner: Arc::new(Inner { limits, known: Mutex::default() }) }
    }

    /// What a client must keep to.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// A connection arrives: another tab of somebody who is here, or a guest.
    pub fn arrive(&self, visitor: Option<VisitorId>) -> Presence {
        let mut known = self.inner.known.lock();
        let here = visitor.as_ref().and_then(|visitor| known.visitors.get(visitor).cloned());
        let person = here.unwrap_or_else(|| self.guest(&mut known, visitor));
        person.connections.fetch_add(1, Ordering::Relaxed);
        Presence { people: self.clone(), person }
    }

    fn guest(&self, known: &mut Known, visitor: Option<VisitorId>) -> Arc<Person> {
        let id = PersonId(rand::random());
        let name = known.free_guest_name();
        known.names.insert(Skeleton::of(&name), id);
        let person = Arc::new(Person {
            id,
            visitor: visitor.clone(),
            called: watch::Sender::new(Called { name, named: false }),
            rate: RateLimit::new(self.inner.limits),
            connections: AtomicUsize::new(0),
        });
        if let Some(visitor) = visitor {
            known.visitors.insert(visitor, person.clone());
        }
        person
    }
}

impl Known {
    fn free_guest_name(&self) -> NickName {
        (0..)
            .map(|attempt| guest_name(4 + attempt / GUEST_TRIES))
            .find(|name| !self.names.contains_key(&Skeleton::of(name)))
            .expect("a longer name is always free")
    }

    fn is_free_for(&self, person: PersonId, name: &NickName) -> bool {
        self.names.get(&Skeleton::of(name)).is_none_or(|owner| *owner == person)
    }

    /// `anna2`, `anna3` … the first that nobody has.
    fn suggestion(&self, person: PersonId, wanted: &NickName) -> Option<NickName> {
        let stem: String = wanted.as_str().chars().take(NickName::MAX_CHARS - 2).collect();
        (2..100)
            .filter_map(|number| NickName::parse(&format!("{stem}{number}")).ok())
            .find(|name| self.is_free_for(person, name))
    }
}

fn guest_name(letters: usize) -> NickName {
    let mut random = rand::rng();
    let tail: String =
        (0..letters).map(|_| char::from(GUEST_LETTERS[random.random_range(0..GUEST_LETTERS.len())])).collect();
    NickName::parse(&format!("guest-{tail}")).expect("letters and digits, and few")
}

impl Presence {
    /// Who this is, among the people connected.
    pub fn id(&self) -> PersonId {
        self.person.id
    }

    /// The browser, where it told.
    pub fn visitor(&self) -> Option<&VisitorId> {
        self.person.visitor.as_ref()
    }

    /// What the person is called now.
    pub fn called(&self) -> Called {
        self.person.called.borrow().clone()
    }

    /// Hears of every change of that.
    pub fn watch(&self) -> watch::Receiver<Called> {
        self.person.called.subscribe()
    }

    /// Takes a name, on all tabs of this person. One's own name may be taken again, differently written.
    pub fn take_name(&self, name: NickName) -> Result<(), NameTaken> {
        let mut known = self.people.inner.known.lock();
        if !known.is_free_for(self.id(), &name) {
            let suggestion = known.suggestion(self.id(), &name);
            return Err(NameTaken { wanted: name, suggestion });
        }
        known.names.remove(&Skeleton::of(&self.person.called.borrow().name));
        known.names.insert(Skeleton::of(&name), self.id());
        self.person.called.send_replace(Called { name, named: true });
        Ok(())
    }

    /// Counts one message against the person's limit, or tells how long to wait.
    pub fn spend_message(&self) -> Result<(), Duration> {
        self.person.rate.spend()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut known = self.people.inner.known.lock();
        if self.person.connections.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        known.names.remove(&Skeleton::of(&self.person.called.borrow().name));
        if let Some(visitor) = &self.person.visitor {
            known.visitors.remove(visitor);
        }
    }
}

#[cfg(test)]
mod tests;
