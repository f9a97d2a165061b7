//! Another program that locks the database: sends wait, then are refused with a time; reading goes on.

use crate::{
    machine::{Machine, clients},
    support::{fresh_id, say},
};
use app::protocol::ErrorCode;
use rusqlite::Connection;

#[test]
fn a_send_waits_for_another_programs_lock_and_reads_go_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let machine = Machine::start(folder.path());
    clients().block_on(async {
        let mut author = machine.enter("x").await;
        author.is_alive().await;
        let other = Connection::open(folder.path().join("taproom.db")).expect("another program opens it");

        other.execute_batch("BEGIN EXCLUSIVE").expect("it locks");
        let id = fresh_id();
        author.send(&say(id, "is it free?")).await;
        assert_eq!(machine.history("x", "").await.events.len(), 1, "reads go on");
        other.execute_batch("COMMIT").expect("it unlocks");
        author.ack(id).await;

        other.execute_batch("BEGIN EXCLUSIVE").expect("it locks");
        let id = fresh_id();
        author.send(&say(id, "is it free now?")).await;
        let error = author.error().await;
        assert_eq!((error.code, error.id), (ErrorCode::Busy, Some(id)));
        assert!(error.text.contains("locked") && error.retry_after_ms.is_some(), "{error:?}");
        assert_eq!(machine.history("x", "").await.events.len(), 2, "reads go on");
        other.execute_batch("COMMIT").expect("it unlocks");

        // A client comes back when it was told to; here it does so at once, until it is taken.
        loop {
            author.send(&say(id, "is it free now?")).await;
            let answered = author
                .find("an answer", |frame| match frame {
                    app::protocol::ServerFrame::Ack(ack) => Some(ack.id == id),
                    app::protocol::ServerFrame::Error(_) => Some(false),
                    _ => None,
                })
                .await;
            if answered {
                break;
            }
        }
        assert_eq!(machine.history("x", "").await.events.len(), 3);
    });
    machine.stop();
}
