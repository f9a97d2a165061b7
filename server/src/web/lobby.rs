//! Connections that ask over HTTP. Each has a file, which it takes along when it becomes a socket: a crowd that comes at
//! once may have all that sockets do not have yet. When no file is left for the next one, whoever has asked for nothing for
//! the longest time has to go, so that nobody keeps others out by holding connections open.

use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Where connections wait with what they want to ask. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Lobby(Arc<Inner>);

struct Inner {
    size: usize,
    files: Arc<Semaphore>,
    listed: Mutex<Listed>,
    /// Notified when there is somebody who can be sent away.
    somebody_waits: Notify,
    /// Somebody who was sent away took the file along.
    escaped: Notify,
}

/// Who can be sent away, in the order in which they last asked for something.
#[derive(Default)]
struct Listed {
    next: u64,
    waiting: BTreeMap<u64, CancellationToken>,
}

/// A place in the lobby that nobody has yet.
pub(crate) struct Place {
    file: OwnedSemaphorePermit,
    lobby: Lobby,
}

/// One connection's stay in the lobby. Dropping it leaves.
#[derive(Default)]
pub(crate) struct Visit {
    stay: Mutex<Stay>,
    sent_away: CancellationToken,
}

#[derive(Default)]
enum Stay {
    /// It came a moment ago. It is not sent away before it was listened to once: when thousands come at the same time,
    /// none of them is to go for the one behind it.
    Fresh(Place),
    /// It can be sent away.
    Listed(u64, Place),
    /// It has no place here any more, or never had one.
    #[default]
    Gone,
}

impl Lobby {
    /// As many connections at once as there are files for them and for sockets together.
    pub(crate) fn new(files: usize) -> Lobby {
        Lobby(Arc::new(Inner {
            size: files,
            files: Arc::new(Semaphore::new(files)),
            listed: Mutex::default(),
            somebody_waits: Notify::new(),
            escaped: Notify::new(),
        }))
    }

    /// A place for the next connection, made free where there is none. One caller at a time.
    pub(crate) async fn place(&self) -> Place {
        let file = loop {
            match self.0.files.clone().try_acquire_owned() {
                Ok(file) => break file,
                Err(_) if self.send_one_away() => tokio::select! {
                    file = self.free_file() => break file,
                    // It became a socket at the same moment, and took its file along.
                    () = self.0.escaped.notified() => {}
                },
                // All of them are being listened to. That does not take long, or else they wait soon.
                Err(_) => tokio::select! {
                    file = self.free_file() => break file,
                    () = self.0.somebody_waits.notified() => {}
                },
            }
        };
        Place { file, lobby: self.clone() }
    }

    /// How many files are taken, those of sockets included.
    pub(crate) fn files_taken(&self) -> usize {
        self.0.size - self.0.files.available_permits()
    }

    async fn free_file(&self) -> OwnedSemaphorePermit {
        self.0.files.clone().acquire_owned().await.expect("they are never closed")
    }

    fn send_one_away(&self) -> bool {
        let first = self.0.listed.lock().waiting.pop_first();
        first.is_some_and(|(_, sent_away)| {
            sent_away.cancel();
            true
        })
    }

    fn list(&self, visit: &Visit) -> u64 {
        let mut listed = self.0.listed.lock();
        let number = listed.next;
        listed.next += 1;
        listed.waiting.insert(number, visit.sent_away.clone());
        self.0.somebody_waits.notify_one();
        number
    }

    /// Answers whether it was on the list still.
    fn strike_off(&self, number: u64) -> bool {
        self.0.listed.lock().waiting.remove(&number).is_some()
    }
}

impl Place {
    /// Somebody has it now.
    pub(crate) fn taken(self) -> Visit {
        Visit { stay: Mutex::new(Stay::Fresh(self)), sent_away: CancellationToken::new() }
    }
}

impl Visit {
    /// It asks for something, so others go first now.
    pub(super) fn asks(&self) {
        let mut stay = self.stay.lock();
        if let Stay::Listed(number, place) = &mut *stay {
            place.lobby.strike_off(*number);
            *number = place.lobby.list(self);
        }
    }

    /// It becomes a socket, and takes its file along.
    pub(super) fn leave(&self) -> Option<OwnedSemaphorePermit> {
        match std::mem::take(&mut *self.stay.lock()) {
            Stay::Fresh(place) => Some(place.file),
            Stay::Listed(number, place) => {
                if !place.lobby.strike_off(number) {
                    place.lobby.0.escaped.notify_one();
                }
                Some(place.file)
            }
            Stay::Gone => None,
        }
    }

    /// Waits until it has to go.
    pub(super) async fn sent_away(&self) {
        self.wait();
        self.sent_away.cancelled().await;
    }

    fn wait(&self) {
        let mut stay = self.stay.lock();
        *stay = match std::mem::take(&mut *stay) {
            Stay::Fresh(place) => Stay::Listed(place.lobby.list(self), place),
            other => other,
        };
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use tokio::task::JoinSet;

    /// A visit that waits to be sent away, and says its name when it was.
    fn wait(waiting: &mut JoinSet<&'static str>, name: &'static str, visit: Visit) -> Arc<Visit> {
        let visit = Arc::new(visit);
        let weak = Arc::downgrade(&visit);
        waiting.spawn(async move {
            let visit = weak.upgrade().expect("it is there");
            visit.sent_away().await;
            name
        });
        visit
    }

    #[tokio::test]
    async fn whoever_asked_for_nothing_for_the_longest_time_goes_for_the_next_one() {
        let (lobby, mut waiting) = (Lobby::new(3), JoinSet::new());
        let (mut visits, mut next) = (Vec::new(), Vec::new());
        for name in ["one", "two", "three"] {
            visits.push(wait(&mut waiting, name, lobby.place().await.taken()));
            tokio::task::yield_now().await;
        }
        visits[0].asks();
        for gone in ["two", "three", "one"] {
            let sent_away = async {
                let name = waiting.join_next().await.expect("somebody waits").expect("nobody panics");
                visits.remove(usize::from(visits.len() > 1));
                name
            };
            let (place, name) = tokio::join!(lobby.place(), sent_away);
            assert_eq!(name, gone);
            next.push(place);
        }
    }

    #[tokio::test]
    async fn nobody_goes_before_they_were_listened_to() {
        let lobby = Lobby::new(2);
        let (one, two) = (lobby.place().await.taken(), lobby.place().await.taken());
        assert!(lobby.place().now_or_never().is_none(), "both have just come");
        let mut next = Box::pin(lobby.place());
        assert!((&mut next).now_or_never().is_none());
        assert!(two.sent_away().now_or_never().is_none(), "it waits from now on");
        assert!((&mut next).now_or_never().is_none(), "it has to go first");
        assert!(two.sent_away().now_or_never().is_some());
        drop(two);
        assert!((&mut next).now_or_never().is_some());
        assert!(one.sent_away().now_or_never().is_none());
    }

    #[tokio::test]
    async fn one_that_becomes_a_socket_keeps_its_file_and_is_not_sent_away() {
        let lobby = Lobby::new(2);
        let socket = lobby.place().await.taken();
        assert!(socket.sent_away().now_or_never().is_none());
        let file = socket.leave().expect("it has one");
        let next = lobby.place().now_or_never().expect("there is place").taken();
        assert!(next.sent_away().now_or_never().is_none());
        assert!(lobby.place().now_or_never().is_none(), "the socket's file is not free");
        assert!(next.sent_away().now_or_never().is_some());
        drop(next);
        drop(file);
        assert_eq!(lobby.files_taken(), 0);
        assert!(socket.leave().is_none() && socket.sent_away().now_or_never().is_none());
    }
}
