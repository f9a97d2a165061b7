//! Many at once: everybody comes back after the server was killed, and a crowd of readers is cut again and again.
//!
//! Small in a test run. What the documents tell was measured so, with a release:
//!
//! ```text
//! TAPROOM_CROWD=9000 cargo test --release -p server --test crowd -- --nocapture
//! ```

mod child;
mod reader;
mod writer;

use child::Taproom;
use hdrhistogram::Histogram;
use reader::Reader;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::JoinSet};
use writer::Writer;

/// How many there are where nothing else is asked for.
const CROWD: usize = 400;

/// Rooms that they are spread over.
const ROOMS: usize = 5;

/// Everything has to be over by then.
const PATIENCE: Duration = Duration::from_secs(120);

/// All have read everything after a kill by then.
const RETURN: Duration = Duration::from_secs(30);

/// Of a hundred messages that are said while they come back, ninety-nine are kept by then.
const ACKNOWLEDGED: Duration = Duration::from_secs(2);

/// Of a hundred returns of a reader who was cut, ninety-nine have caught up by then.
const CAUGHT_UP: Duration = Duration::from_secs(2);

fn crowd(or: usize) -> usize {
    std::env::var("TAPROOM_CROWD").ok().and_then(|crowd| crowd.parse().ok()).unwrap_or(or)
}

/// Whether readers come back at once and try again without a pause: to see what jitter is good for.
fn in_a_hurry() -> bool {
    std::env::var_os("TAPROOM_HURRY").is_some()
}

fn room(number: usize) -> String {
    format!("room{}", number % ROOMS)
}

fn quantile(of: &Histogram<u64>, quantile: f64) -> Duration {
    Duration::from_micros(of.value_at_quantile(quantile))
}

fn record(into: &mut Histogram<u64>, one: Duration) {
    into.record(u64::try_from(one.as_micros()).expect("a test is shorter")).expect("the range grows");
}

/// A crowd that reads, and writers that go on whatever happens.
struct Scene {
    /// Tells everybody how far the log of a room goes once nothing more is said, so that they know when to stop.
    ends: watch::Sender<Option<Arc<[u64; ROOMS]>>>,
    readers: JoinSet<Reader>,
    writers: JoinSet<Writer>,
    quiet: watch::Sender<bool>,
}

impl Scene {
    /// Everybody is in their room.
    async fn begin(server: &Taproom, crowd: usize, cuts: u32) -> Scene {
        let (ends, told) = watch::channel(None);
        let (quiet, hushed) = watch::channel(false);
        let (arrived, mut arrivals) = tokio::sync::mpsc::channel(crowd);
        let mut readers = JoinSet::new();
        for number in 0..crowd {
            readers.spawn(Reader::new(number, server.address(), told.clone(), arrived.clone()).read(cuts));
        }
        for _ in 0..crowd {
            tokio::time::timeout(PATIENCE, arrivals.recv()).await.expect("all arrive").expect("they live");
        }
        let writers =
            (0..ROOMS).map(|number| Writer::new(number, server, crowd / ROOMS, hushed.clone()).write()).collect();
        Scene { ends, readers, writers, quiet }
    }

    /// Lets the writers come to an end, then the readers. Answers how long acknowledgements and returns took.
    async fn end(self) -> (Histogram<u64>, Histogram<u64>) {
        self.quiet.send_replace(true);
        let (mut acknowledged, mut returned) = (histogram(), histogram());
        let mut heads = [0; ROOMS];
        for writer in tokio::time::timeout(PATIENCE, self.writers.join_all()).await.expect("what is said is kept") {
            heads[writer.number] = writer.check();
            acknowledged.add(&writer.latency).expect("the same digits");
        }
        self.ends.send_replace(Some(Arc::new(heads)));
        for reader in tokio::time::timeout(PATIENCE, self.readers.join_all()).await.expect("everything is read") {
            assert_eq!(reader.cursor, heads[reader.number % ROOMS], "reader {}", reader.number);
            returned.add(&reader.returns).expect("the same digits");
        }
        (acknowledged, returned)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are allowed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_everybody_comes_back_and_those_who_talk_are_not_held_up() {
    let crowd = crowd(CROWD);
    let mut server = Taproom::start().await;
    let scene = Scene::begin(&server, crowd, 0).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let killed = Instant::now();
    server.kill_and_restart().await;
    let up = killed.elapsed();
    // Long enough for the slowest back-off that they may be in.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (acknowledged, returned) = scene.end().await;
    assert_eq!(returned.len() as usize, crowd, "every one of them was cut once and came back");
    println!(
        "{crowd} readers in {ROOMS} rooms; killed and up again in {up:?}; all had read on after p50 {:?}, p99 {:?}, max {:?}; \
         {} messages kept meanwhile after p50 {:?}, p99 {:?}, max {:?}",
        quantile(&returned, 0.5),
        quantile(&returned, 0.99),
        quantile(&returned, 1.0),
        acknowledged.len(),
        quantile(&acknowledged, 0.5),
        quantile(&acknowledged, 0.99),
        quantile(&acknowledged, 1.0),
    );
    assert!(quantile(&returned, 1.0) <= RETURN, "{:?}", quantile(&returned, 1.0));
    assert!(quantile(&acknowledged, 0.99) <= ACKNOWLEDGED, "{:?}", quantile(&acknowledged, 0.99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_who_are_cut_again_and_again_see_everything_once_and_catch_up_soon() {
    const CUTS: u32 = 20;
    let crowd = crowd(CROWD).min(1_000);
    let server = Taproom::start().await;
    let scene = Scene::begin(&server, crowd, CUTS).await;
    // A cut and a return take three quarters of a second on average.
    tokio::time::sleep(Duration::from_millis(800) * CUTS).await;
    let (_, returned) = scene.end().await;
    let cuts = returned.len();
    println!(
        "{crowd} readers, {cuts} cuts: caught up after p50 {:?}, p99 {:?}, max {:?}",
        quantile(&returned, 0.5),
        quantile(&returned, 0.99),
        quantile(&returned, 1.0)
    );
    assert!(cuts >= u64::from(CUTS) * crowd as u64 * 9 / 10, "only {cuts} cuts in all: the network was too kind");
    assert!(quantile(&returned, 0.99) <= CAUGHT_UP, "{:?}", quantile(&returned, 0.99));
}
