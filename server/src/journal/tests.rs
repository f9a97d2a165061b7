//! What becomes of drafts on a real disk, and the log that other tests fill.

use super::{AuthorKey, Draft, NotKept, Trouble, ledger::*, writer::event};
use crate::{
    rooms::Rooms,
    store::{Cut, Database, Store},
};
use app::protocol::{Event, Kind, MessageId, NickName, RoomName, Seq, SocketId, Text, Timestamp};
use tempfile::TempDir;

/// A log in a folder of its own, open for writing and for reading.
pub(crate) struct Log {
    pub(crate) folder: TempDir,
    pub(crate) database: Database,
    pub(crate) store: Store,
    ledger: Ledger,
}

impl Log {
    pub(crate) fn new() -> Log {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(folder.path()).expect("an empty folder is fine");
        let ledger = Ledger::open(&database).expect("it opens");
        Log { store: Store::new(database.clone()), folder, database, ledger }
    }

    /// Keeps a message that is new, and answers its event.
    pub(crate) fn say(&mut self, room: &str, id: u64) -> Event {
        let draft = draft(room, "ada", id);
        match self.keep(&draft) {
            Outcome::New(kept) => event(draft, kept),
            _ => panic!("{id} is not new"),
        }
    }

    /// Keeps messages with the ids 1, 2, 3 … in one batch.
    pub(crate) fn say_many(&mut self, room: &str, count: u64) {
        let drafts: Vec<Draft> = (1..=count).map(|id| draft(room, "ada", id)).collect();
        assert_eq!(self.ledger.append(&drafts, Timestamp(7)).expect("it is written").len() as u64, count);
    }

    fn keep(&mut self, draft: &Draft) -> Outcome {
        let outcomes = self.ledger.append([draft], Timestamp(u64::from(draft.id.as_str().as_bytes()[25])));
        outcomes.expect("it is written").pop().expect("one outcome for one draft")
    }
}

pub(crate) fn draft(room: &str, author: &str, id: u64) -> Draft {
    let lasting = std::array::from_fn(|at| author.as_bytes().get(at).copied().unwrap_or_default());
    Draft {
        room: RoomName::parse(room).expect("a good name"),
        author: AuthorKey { person: u64::MAX - author.len() as u64, lasting },
        name: NickName::parse(author).expect("a good name"),
        socket: SocketId("socket".into()),
        id: MessageId::new(0, id.into()),
        text: Text::parse("héllo \"wörld\" \u{1f37a}").expect("a good text"),
        kind: Kind::Action,
    }
}

#[test]
fn positions_are_dense_in_every_room_by_itself_also_in_one_batch() {
    let mut log = Log::new();
    for (id, (room, seq)) in [("x", 1), ("y", 1), ("x", 2), ("y", 2), ("x", 3)].into_iter().enumerate() {
        assert_eq!(log.say(room, id as u64).seq(), Seq(seq), "{room}");
    }
    let batch: Vec<Draft> =
        ["x", "y", "x", "z"].into_iter().zip(10..).map(|(room, id)| draft(room, "bo", id)).collect();
    let seqs: Vec<u64> = log.ledger.append(&batch, Timestamp(0)).expect("it is written").iter().map(new_seq).collect();
    assert_eq!(seqs, [4, 3, 5, 1]);
}

fn new_seq(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::New(kept) => kept.seq.0,
        _ => panic!("it is new"),
    }
}

#[test]
fn the_same_id_is_known_to_its_author_and_refused_to_others_for_ever() {
    let mut log = Log::new();
    let first = match log.keep(&draft("x", "ada", 2)) {
        Outcome::New(kept) => kept,
        _ => panic!("it is new"),
    };
    log.say_many("y", 500);
    log.ledger = Ledger::open(&log.database).expect("as after a restart");
    assert!(matches!(log.keep(&draft("x", "ada", 2)), Outcome::Known(kept) if kept == first));
    assert!(matches!(log.keep(&draft("x", "bob", 2)), Outcome::Known(_)), "the same person under another name");
    assert!(matches!(log.keep(&draft("x", "claire", 2)), Outcome::SomebodyElses));
    assert!(matches!(log.keep(&draft("z", "claire", 2)), Outcome::New(..)), "rooms do not share ids");
    assert_eq!(log.say("x", 3).seq(), Seq(2), "a known one takes no position");
}

#[tokio::test]
async fn what_is_kept_reads_back_as_it_was_said() {
    let mut log = Log::new();
    let said = log.say("räume & mehr", 1);
    let page = log.store.page(said.room(), Cut::Newest, 10).await.expect("it can be read");
    assert_eq!((page.head, page.events), (Seq(1), vec![said]));
}

#[test]
fn a_database_that_is_locked_keeps_nothing_and_says_so() {
    let mut log = Log::new();
    let other = rusqlite::Connection::open(log.database.path()).expect("another program");
    other.execute_batch("BEGIN IMMEDIATE").expect("it locks");
    let Err(failure) = log.ledger.append([&draft("x", "ada", 1)], Timestamp(0)) else { panic!("it is locked") };
    assert!(matches!(failure, Failure::Certain(_)));
    assert_eq!(failure.trouble(), Trouble::Locked);
    other.execute_batch("COMMIT").expect("it unlocks");
    assert_eq!(log.say("x", 1).seq(), Seq(1));
}

#[tokio::test]
async fn beyond_the_queue_authors_are_told_to_come_back() {
    let log = Log::new();
    let (journal, writer) = super::Journal::open(log.database.clone(), Rooms::new(log.store.clone()));
    let mut answers = Vec::new();
    for id in 0..super::QUEUE as u64 {
        answers.push(journal.append(draft("x", "ada", id)).expect("there is room"));
    }
    assert!(matches!(journal.append(draft("x", "ada", u64::MAX)), Err(NotKept::Busy)));
    drop(journal);
    writer.run().await;
    for (answer, seq) in answers.into_iter().zip(1..) {
        assert_eq!(answer.await.expect("it is answered").expect("it is kept").seq, Seq(seq), "in the order of calls");
    }
}

#[tokio::test]
async fn a_database_that_was_closed_properly_has_nothing_in_its_wal() {
    let log = Log::new();
    let (journal, writer) = super::Journal::open(log.database.clone(), Rooms::new(log.store.clone()));
    let answer = journal.append(draft("x", "ada", 1)).expect("there is room");
    drop(journal);
    drop(log.ledger);
    writer.run().await;
    answer.await.expect("it is answered").expect("it is kept");
    let wal = log.folder.path().join("taproom.db-wal");
    assert_eq!(wal.metadata().map_or(0, |wal| wal.len()), 0);
}
