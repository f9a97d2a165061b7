//! Goal 18: a copy that is taken while everybody writes is whole, and put back elsewhere it is a log of its own.

use crate::{
    ALONE,
    child::{Taproom, check},
    crowd::{Crowd, Plan},
    person::{Return, dial},
    support::{
        binary::{run, taproom},
        in_time, visitor,
    },
};
use app::protocol::{Chat, Epoch, Seq, ServerFrame};
use futures::StreamExt;
use std::{
    ffi::OsStr,
    path::Path,
    time::{Duration, Instant},
};
use tokio_tungstenite::tungstenite::Message;

/// Messages that are acknowledged before the copy, and while the others go on after it.
const MESSAGES: u64 = 2_000;

const PATIENCE: Duration = Duration::from_secs(20);

const PLAN: Plan =
    Plan { rooms: 50, talkers: 2, listeners: 1, messages: u64::MAX, window: 8, comes_back: Return::AtOnce };

/// Runs a subcommand that must succeed, with a flag that names a file.
async fn succeeds(subcommand: &str, data: &Path, flag: &str, file: &Path) {
    let mut command = taproom(&[subcommand]);
    command.args([OsStr::new("--data"), data.as_os_str(), OsStr::new(flag), file.as_os_str()]);
    let (code, found, trouble) = run(command).await;
    assert!(code == Some(0) && found.trim_end().ends_with("sound"), "{found}{trouble}");
}

/// Comes to a room with a cursor of another life of the log, and answers what is shown first, up to `until`.
async fn come_back(taproom: &Taproom, room: &str, cursor: Seq, epoch: &Epoch, until: Seq) -> (Epoch, Vec<Seq>) {
    let path = format!("/ws?room={room}&after={cursor}&epoch={epoch}");
    let mut line = dial(taproom.address, &path, &visitor(1)).await.expect("it listens");
    let (mut now, mut seen) = (None, Vec::new());
    let reading = async {
        while seen.last() != Some(&until) {
            let Some(Ok(Message::Text(json))) = line.next().await else { panic!("the connection was lost") };
            match serde_json::from_str(&json).expect("a frame") {
                ServerFrame::Status(status) => now = Some(status.epoch),
                ServerFrame::Chat(chat) => seen.push(chat.seq),
                ServerFrame::UserList(_) => {}
                _ => panic!("{json}"),
            }
        }
    };
    in_time("the log from its beginning", PATIENCE, reading).await;
    (now.expect("Status comes first"), seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_taken_under_load_is_whole_and_begins_another_life_elsewhere() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a directory");
    let copy = folder.path().join("copy.db");
    let original = Taproom::start().await;
    let mut crowd = Crowd::gather(PLAN, &original, None);
    crowd.has_acked(MESSAGES).await;
    let began = Instant::now();
    succeeds("backup", &original.data(), "--to", &copy).await;
    let (took, during) = (began.elapsed(), crowd.acked());
    crowd.has_acked(during + MESSAGES / 2).await;
    let lasted = crowd.fall_silent().await;
    let rooms = crowd.rooms().to_vec();
    let (old_epoch, _) = original.log_of(&rooms[0]).await;
    let outcome = crowd.go(&original, lasted).await;
    outcome.verdict.assert_sound();

    let elsewhere = tempfile::tempdir().expect("a directory");
    succeeds("restore", &elsewhere.path().join("data"), "--from", &copy).await;
    let restored = Taproom::start_over(elsewhere).await;
    let mut kept = 0;
    for room in &rooms {
        let (epoch, log) = restored.log_of(room).await;
        assert_ne!(epoch, old_epoch);
        let whole: &[Chat] = &outcome.logs[room];
        assert!(whole.starts_with(&log), "{room} is the beginning of what was said");
        let acked = outcome.records.iter().filter(|record| record.room == *room).flat_map(|record| &record.acked);
        let missing = acked.filter(|(_, acked)| acked.at < began && acked.seq.0 > log.len() as u64).count();
        assert_eq!(missing, 0, "acknowledged before the copy began, and not in it: {room}");
        kept += log.len();
    }
    println!(
        "backup: {kept} of {} messages, taken in {took:.0?} while {} were acknowledged a second: whole, sound, another \
         epoch",
        outcome.verdict.acked,
        outcome.rate() as u64,
    );

    // Who was further than the copy is starts afresh.
    let room = &rooms[0];
    let (cursor, head) = (outcome.logs[room].last().expect("they talked").seq, restored.page(room, "").await.head);
    let (epoch, seen) = come_back(&restored, room.as_str(), cursor, &old_epoch, head).await;
    assert_ne!(epoch, old_epoch);
    assert_eq!(seen, (1..=head.0).map(Seq).collect::<Vec<_>>());

    let data = restored.data();
    let (code, found) = check(&data).await;
    assert_eq!(code, Some(0), "{found}");
}
