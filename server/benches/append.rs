//! What durability costs: messages a second and the time to their acknowledgement, beside a bare SQLite loop that
//! commits as many rows at a time, and beside the disk's own fdatasync, in one run on one disk.
//!
//! ```text
//! cargo bench --package server --bench append [-- --rounds 5 --seconds 1 --folder DIRECTORY]
//! ```
//!
//! Closed loop: each sender waits for its acknowledgement before it says the next thing. The journal is the server's
//! own, with its queue, its writer, its checkpoints and an open room; there are no sockets.

use app::protocol::{Kind, MessageId, NickName, RoomName, Seq, SocketId, Text};
use clap::Parser;
use hdrhistogram::Histogram;
use rusqlite::Connection;
use server::{
    config::Serve,
    journal::{AuthorKey, Draft, Journal},
    people::People,
    rooms::{From, Rooms},
    store::{Cut, Database, MAX_PAGE, Store},
};
use std::{
    error::Error,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    task::Waker,
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, task::JoinSet};

/// How many senders there are, run by run.
const SENDERS: [usize; 4] = [1, 8, 64, 512];

/// The text of every message: 50 bytes, as the fan-out has it.
const TEXT: &str = "fifty bytes of text, as people write them in chats";

/// A page of SQLite, as it goes to the WAL.
const PAGE: [u8; 4_096] = [0x5a; 4_096];

/// Measures how durable messages are kept.
#[derive(Parser)]
struct Arguments {
    /// How long each run takes
    #[arg(long, default_value_t = 1)]
    seconds: u64,
    /// How often journal, bare loop and disk are measured in turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// On whose disk; a folder for every run is made in it
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    folder: PathBuf,
    /// How many messages the room has in which pages of history are read
    #[arg(long, default_value_t = 1_000_000)]
    history: u64,
    /// Set by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a run found.
struct Found {
    count: u64,
    elapsed: Duration,
    /// In microseconds.
    latency: Histogram<u64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.folder)?;
    let (folder, time) = (arguments.folder.as_path(), Duration::from_secs(arguments.seconds));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("{:>34} {:>10} {:>9} {:>9} {:>9}", "", "a second", "p50 µs", "p99 µs", "a commit");
    for senders in SENDERS {
        let (mut of_bare, mut of_disk) = (Vec::new(), Vec::new());
        for _ in 0..arguments.rounds {
            // One after the other, again and again: a disk that has a slow moment has it for all three.
            let (journal, batch) = journal(&runtime, folder, senders, time)?;
            let bare = bare(folder, batch.round().max(1.0) as usize, time)?;
            let disk = fdatasync(folder, time)?;
            line(&format!("{senders} senders, the journal"), &journal, batch);
            line("bare SQLite, as many a commit", &bare, batch.round().max(1.0));
            line("fdatasync beside it", &disk, 1.0);
            of_bare.push(rate(&journal) / rate(&bare));
            of_disk.push(p50(&journal) / p50(&disk));
        }
        println!(
            "{:>34} medians of {}: {:.2} of the bare loop, p50 {:.2} × fdatasync\n",
            "",
            arguments.rounds,
            median(of_bare),
            median(of_disk),
        );
    }
    history(&runtime, folder, arguments.history)
}

fn rate(found: &Found) -> f64 {
    found.count as f64 / found.elapsed.as_secs_f64()
}

fn p50(found: &Found) -> f64 {
    found.latency.value_at_quantile(0.5) as f64
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn line(what: &str, found: &Found, batch: f64) {
    let [p50, p99] = [0.5, 0.99].map(|quantile| found.latency.value_at_quantile(quantile));
    println!("{what:>34} {:>10.0} {p50:>9} {p99:>9} {batch:>9.1}", rate(found));
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are allowed")
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// A write of a page and the wait until it is on disk, again and again.
fn fdatasync(folder: &Path, time: Duration) -> Result<Found, Box<dyn Error>> {
    let folder = tempfile::tempdir_in(folder)?;
    let mut file = File::create(folder.path().join("pages"))?;
    let (mut latency, began, mut count) = (histogram(), Instant::now(), 0);
    while began.elapsed() < time {
        let one = Instant::now();
        file.write_all(&PAGE)?;
        file.sync_data()?;
        latency.record(micros(one))?;
        count += 1;
    }
    Ok(Found { count, elapsed: began.elapsed(), latency })
}

/// The server's journal under some senders, and how many messages it kept in a commit.
fn journal(runtime: &Runtime, folder: &Path, senders: usize, time: Duration) -> Result<(Found, f64), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(folder)?;
    let database = Database::open(folder.path())?;
    runtime.block_on(async {
        let rooms = Rooms::new(Store::new(database.clone()));
        let (journal, writer) = Journal::open(database, rooms.clone());
        let tally = journal.tally();
        let mut writing = JoinSet::new();
        writing.spawn(writer.run());
        // Somebody is in the room, so that events are shown as well.
        let reader = People::new(Serve::default().limits()).arrive(None);
        let person = (reader.id(), reader.called().name);
        let reader = rooms.enter(&RoomName::default(), person, &From::default()).await?;
        let listening = reader.listen(Waker::noop().clone());
        let began = Instant::now();
        let sending: JoinSet<_> =
            (0..senders).map(|number| send(journal.clone(), number as u64, began, time)).collect();
        drop(journal);
        let mut latency = histogram();
        for one in sending.join_all().await {
            latency.add(&one)?;
        }
        let elapsed = began.elapsed();
        drop((listening, reader));
        writing.join_all().await;
        let written = tally.read();
        Ok((Found { count: latency.len(), elapsed, latency }, written.drafts as f64 / written.commits as f64))
    })
}

/// One sender, who says the next thing when the one before is acknowledged.
async fn send(journal: Journal, number: u64, began: Instant, time: Duration) -> Histogram<u64> {
    let mut latency = histogram();
    let mut draft = Draft {
        room: RoomName::default(),
        author: AuthorKey { person: number, lasting: [number as u8; AuthorKey::DIGEST] },
        name: NickName::parse("sender").expect("a good name"),
        socket: SocketId("01JD8Z3WJ4V3M5T7Q9XKBNRC6H".into()),
        id: MessageId::new(0, 0),
        text: Text::parse(TEXT).expect("a good text"),
        kind: Kind::Speech,
    };
    while began.elapsed() < time {
        draft.id = MessageId::new(1_795_000_000_000 + latency.len(), rand::random());
        let one = Instant::now();
        let answer = journal.append(draft.clone()).expect("there are fewer senders than places");
        answer.await.expect("it is answered").expect("it is kept");
        latency.record(micros(one)).expect("the range grows");
    }
    latency
}

/// The least that SQLite can do: the same rows into the same table, as many in a transaction, each commit on disk.
fn bare(folder: &Path, batch: usize, time: Duration) -> Result<Found, Box<dyn Error>> {
    let folder = tempfile::tempdir_in(folder)?;
    let path = Database::open(folder.path())?.path().to_owned();
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; INSERT INTO rooms VALUES (1, 'default', 0)",
    )?;
    let (mut latency, began, mut count) = (histogram(), Instant::now(), 0_u64);
    while began.elapsed() < time {
        let one = Instant::now();
        let transaction = connection.unchecked_transaction()?;
        let mut insert = transaction.prepare_cached(INSERT)?;
        for _ in 0..batch {
            count += 1;
            insert.execute((count as i64, MessageId::new(1_795_000_000_000 + count, rand::random()).as_str(), TEXT))?;
        }
        drop(insert);
        transaction.commit()?;
        latency.record(micros(one))?;
    }
    Ok(Found { count, elapsed: began.elapsed(), latency })
}

const INSERT: &str = "INSERT INTO events (room, seq, message_id, sent, kind, name, author, person, socket, body)
    VALUES (1, ?1, ?2, 0, 0, 'sender', x'00112233445566778899aabbccddeeff', 7, '01JD8Z3WJ4V3M5T7Q9XKBNRC6H', ?3)";

/// Pages of history anywhere in a long room, as the HTTP door answers them: read, and written as JSON.
fn history(runtime: &Runtime, folder: &Path, count: u64) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(folder)?;
    let database = Database::open(folder.path())?;
    fill(&Connection::open(database.path())?, count)?;
    runtime.block_on(async {
        let store = Store::new(database);
        println!("{:>34} {:>10} {:>9} {:>9}", format!("of {count} messages"), "a second", "p50 µs", "p99 µs");
        for limit in [50, MAX_PAGE] {
            let (mut latency, began) = (histogram(), Instant::now());
            for _ in 0..PAGES {
                let before = Cut::Before(Seq(rand::random_range(1..=count)));
                let one = Instant::now();
                let page = store.page(&RoomName::default(), before, limit).await?;
                std::hint::black_box(serde_json::to_vec(&page)?);
                latency.record(micros(one))?;
            }
            line(&format!("a page of {limit}"), &Found { count: PAGES, elapsed: began.elapsed(), latency }, 0.0);
        }
        Ok(())
    })
}

/// How many pages are read.
const PAGES: u64 = 5_000;

fn fill(connection: &Connection, count: u64) -> rusqlite::Result<()> {
    // How it gets there is not what is measured.
    connection.execute_batch("PRAGMA synchronous = OFF; INSERT INTO rooms VALUES (1, 'default', 0)")?;
    let transaction = connection.unchecked_transaction()?;
    for seq in 1..=count {
        let id = MessageId::new(1_795_000_000_000 + seq, rand::random());
        transaction.prepare_cached(INSERT)?.execute((seq as i64, id.as_str(), TEXT))?;
    }
    transaction.commit()
}
