//! The hand-over from those who have news to the shard that delivers it, in every interleaving of their threads with up
//! to two preemptions, and with everything that the memory model allows: no news is lost, and the shard never sleeps over
//! some.
//!
//! What is checked is the server's own file (`delivery/bells.rs`), over loom's locks and atomics.

#[path = "../src/delivery/bells.rs"]
mod bells;

use bells::Bells;
use loom::{
    future::block_on,
    model::Builder,
    sync::{Arc, atomic::AtomicUsize},
    thread,
};
use std::{
    future::poll_fn,
    sync::atomic::AtomicBool,
    task::{Context, Poll, Waker},
};
use sync::Ordering;

/// What `delivery/sync.rs` brings, as the model checker has it.
mod sync {
    use loom::sync::MutexGuard;
    pub(super) use loom::sync::atomic::{AtomicBool, Ordering};
    use std::task::Waker;

    /// A lock that does not know of panics, as parking_lot's.
    #[derive(Debug)]
    pub(super) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn new(value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(super) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("nobody panics while they have it")
        }
    }

    /// A waker behind a lock, which is what the one of `futures` promises to be.
    #[derive(Debug)]
    pub(super) struct AtomicWaker(Mutex<Option<Waker>>);

    impl AtomicWaker {
        pub(super) fn new() -> AtomicWaker {
            AtomicWaker(Mutex::new(None))
        }

        pub(super) fn register(&self, waker: &Waker) {
            *self.0.lock() = Some(waker.clone());
        }

        pub(super) fn wake(&self) {
            let waker = self.0.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// Threads that are interrupted in one run, at most: more cost minutes, and faults show with two.
const PREEMPTIONS: usize = 2;

fn in_every_order(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(model);
}

/// Whoever has news and a bell: a room, a socket. Several threads may have news for the same one, as the journal, a name
/// and the network have for a connection.
#[derive(Clone)]
struct Source {
    /// How much has come. Relaxed everywhere: it is the bell that has to carry it across.
    news: Arc<AtomicUsize>,
    bell: Waker,
}

impl Source {
    fn new(bells: &std::sync::Arc<Bells<usize>>, number: usize) -> Source {
        Source { news: Arc::new(AtomicUsize::new(0)), bell: bells.bell(number) }
    }

    fn publish(&self) {
        self.news.fetch_add(1, Ordering::Relaxed);
        self.bell.wake_by_ref();
    }

    fn ring_too_early(&self) {
        self.bell.wake_by_ref();
        self.news.fetch_add(1, Ordering::Relaxed);
    }
}

/// How a shard looks for news.
struct Shard {
    bells: std::sync::Arc<Bells<usize>>,
    sources: Vec<Source>,
    seen: Vec<usize>,
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.bells.close();
    }
}

impl Shard {
    fn new(sources: usize) -> Shard {
        let bells = Bells::new();
        let sources: Vec<Source> = (0..sources).map(|number| Source::new(&bells, number)).collect();
        Shard { bells, seen: vec![0; sources.len()], sources }
    }

    fn source(&self, number: usize) -> Source {
        self.sources[number].clone()
    }

    /// Takes the bells, then looks after those that rang, as the real one does.
    fn look(&mut self, cx: &mut Context<'_>) {
        let mut rung = Vec::new();
        self.bells.take(cx.waker(), &mut rung);
        for source in rung {
            self.seen[source] = self.sources[source].news.load(Ordering::Relaxed);
        }
    }

    /// Looks, then takes the bells: what comes in between is passed over.
    fn look_too_early(&mut self, cx: &mut Context<'_>) {
        let now: Vec<usize> = self.sources.iter().map(|source| source.news.load(Ordering::Relaxed)).collect();
        let mut rung = Vec::new();
        self.bells.take(cx.waker(), &mut rung);
        for source in rung {
            self.seen[source] = now[source];
        }
    }

    /// Sleeps until it has seen everything. Where it was not woken for something, the checker finds everybody asleep.
    fn see(mut self, news: &[usize]) {
        block_on(poll_fn(|cx| {
            self.look(cx);
            if self.seen == news { Poll::Ready(()) } else { Poll::Pending }
        }));
    }
}

#[test]
fn of_two_who_ring_one_bell_neither_is_overheard() {
    in_every_order(|| {
        let shard = Shard::new(1);
        let (one, other) = (shard.source(0), shard.source(0));
        let one = thread::spawn(move || one.publish());
        let other = thread::spawn(move || other.publish());
        shard.see(&[2]);
        one.join().expect("it has published");
        other.join().expect("it has published");
    });
}

#[test]
fn two_rooms_and_one_that_goes_on_talking_are_all_heard() {
    in_every_order(|| {
        let shard = Shard::new(2);
        let (one, other) = (shard.source(0), shard.source(1));
        let one = thread::spawn(move || (0..2).for_each(|_| one.publish()));
        let other = thread::spawn(move || other.publish());
        shard.see(&[2, 1]);
        one.join().expect("it has published");
        other.join().expect("it has published");
    });
}

/// Looks while somebody publishes, and once more when they have: whether the news was passed over in some order.
fn is_overheard_in_some_order(publish: fn(&Source), look: fn(&mut Shard, &mut Context<'_>)) -> bool {
    let overheard = std::sync::Arc::new(AtomicBool::new(false));
    let found = overheard.clone();
    in_every_order(move || {
        let mut shard = Shard::new(1);
        let source = shard.source(0);
        let publisher = thread::spawn(move || publish(&source));
        let cx = &mut Context::from_waker(Waker::noop());
        look(&mut shard, cx);
        publisher.join().expect("it has published");
        look(&mut shard, cx);
        if shard.seen != [1] {
            found.store(true, Ordering::Relaxed);
        }
    });
    overheard.load(Ordering::Relaxed)
}

#[test]
fn bells_are_taken_before_the_news_is_looked_at_and_rung_when_it_is_there() {
    assert!(!is_overheard_in_some_order(Source::publish, Shard::look));
}

#[test]
fn the_controls_that_look_or_ring_too_early_pass_news_over() {
    assert!(is_overheard_in_some_order(Source::publish, Shard::look_too_early));
    assert!(is_overheard_in_some_order(Source::ring_too_early, Shard::look));
}
