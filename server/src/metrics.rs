//! What is measured: every name, what it means, and every value that a label can have. Nothing here grows with rooms, people
//! or addresses.
//!
//! Handles are made once and kept; where nothing is measured they are empty and cost a branch. Each server has a recorder of
//! its own, not the process's one, so that several in one process do not count for each other.

mod process;

use app::protocol::ErrorCode;
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, NoopRecorder, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const COMMIT_SECONDS: &str = "taproom_commit_seconds";
const BATCH: &str = "taproom_commit_messages";
const LAG: &str = "taproom_cursor_lag_events";

/// A commit is an fsync: half a millisecond on a good disk, seconds on a bad day.
const COMMIT_BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Up to the largest batch that the journal writes.
const BATCH_BUCKETS: [f64; 6] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0];

/// One write, one replay, and beyond.
const LAG_BUCKETS: [f64; 7] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_000.0, 4_000.0];

/// Why somebody did not get what they asked for. Every refusal that is told is counted under one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    ServerFull,
    AddressFull,
    RoomFull,
    Crowded,
    ForeignOrigin,
    BadFrame,
    BadText,
    TooLong,
    TooFast,
    Busy,
    NameTaken,
    BadName,
    NotAllowed,
    NoSuchRoom,
    TooManyRooms,
}

/// The label of each reason, in the order of the enum.
const REASONS: [&str; 15] = [
    "server_full",
    "address_full",
    "room_full",
    "crowded",
    "foreign_origin",
    "bad_frame",
    "bad_text",
    "too_long",
    "too_fast",
    "busy",
    "name_taken",
    "bad_name",
    "not_allowed",
    "no_such_room",
    "too_many_rooms",
];

/// The classes of HTTP's status codes.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// How somebody who came with a cursor reads on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resume {
    /// Nothing was missed.
    Live,
    /// What was missed is replayed.
    Replayed,
    /// It was too much: there is a `Gap`.
    Gap,
}

const RESUMES: [&str; 3] = ["live", "replayed", "gap"];

/// What every part of a server counts. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) delivery: Delivery,
    pub(crate) journal: Journal,
    pub(crate) door: Door,
    standing: Standing,
}

/// What sockets are told and tell. Shards add up and count in batches.
#[derive(Clone)]
pub(crate) struct Delivery {
    deliveries: Counter,
    frames_in: Counter,
    bytes_in: Counter,
    frames_out: Counter,
    bytes_out: Counter,
    lag: Histogram,
    stalled: Gauge,
    closed_slow: Counter,
    resumes: [Counter; RESUMES.len()],
    refusals: Refusals,
}

/// What the journal writes.
#[derive(Clone)]
pub(crate) struct Journal {
    messages: Counter,
    commit_seconds: Histogram,
    batch: Histogram,
    failures: Counter,
}

/// What is asked over HTTP.
#[derive(Clone)]
pub(crate) struct Door {
    requests: [Counter; CLASSES.len()],
    refusals: Refusals,
}

#[derive(Clone)]
struct Refusals([Counter; REASONS.len()]);

/// How things stand, looked up when somebody asks.
#[derive(Clone)]
struct Standing {
    connections: Gauge,
    requests: Gauge,
    rooms: Gauge,
}

/// Writes what was measured, as Prometheus reads it.
#[derive(Clone)]
pub(crate) struct Exporter {
    handle: PrometheusHandle,
    standing: Standing,
}

impl Default for Metrics {
    /// Nothing is measured.
    fn default() -> Metrics {
        Metrics::recorded_by(&NoopRecorder)
    }
}

impl Metrics {
    /// Everything is measured, and can be read with the exporter.
    pub(crate) fn measured() -> (Metrics, Exporter) {
        let full = |name: &str| Matcher::Full(name.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(full(COMMIT_SECONDS), &COMMIT_BUCKETS)
            .and_then(|builder| builder.set_buckets_for_metric(full(BATCH), &BATCH_BUCKETS))
            .and_then(|builder| builder.set_buckets_for_metric(full(LAG), &LAG_BUCKETS))
            .expect("no list of buckets is empty")
            .build_recorder();
        let metrics = Metrics::recorded_by(&recorder);
        let exporter = Exporter { handle: recorder.handle(), standing: metrics.standing.clone() };
        (metrics, exporter)
    }

    fn recorded_by(recorder: &dyn Recorder) -> Metrics {
        let by = Register(recorder);
        by.gauge("taproom_build_info", "Which build this is; always 1.", &[("version", env!("CARGO_PKG_VERSION"))])
            .set(1);
        let refusals = Refusals(REASONS.map(|reason| {
            by.counter("taproom_refusals_total", "Refusals that were told, by reason.", &[("reason", reason)])
        }));
        Metrics {
            delivery: Delivery::registered(&by, refusals.clone()),
            journal: Journal::registered(&by),
            door: Door::registered(&by, refusals),
            standing: Standing::registered(&by),
        }
    }
}

impl Default for Delivery {
    fn default() -> Delivery {
        Metrics::default().delivery
    }
}

impl Delivery {
    fn registered(by: &Register<'_>, refusals: Refusals) -> Delivery {
        let frames = |direction| {
            let help = "WebSocket frames of text, by direction.";
            by.counter("taproom_frames_total", help, &[("direction", direction)])
        };
        let bytes = |direction| {
            let help = "Bytes of WebSocket frames of text, by direction: what comes in without its headers, what goes out with them.";
            by.counter("taproom_frame_bytes_total", help, &[("direction", direction)])
        };
        Delivery {
            deliveries: by.counter("taproom_deliveries_total", "Messages written to sockets, once for each.", &[]),
            frames_in: frames("in"),
            bytes_in: bytes("in"),
            frames_out: frames("out"),
            bytes_out: bytes("out"),
            lag: by.histogram(LAG, "How many events a room's first reader was behind, sampled at each of its turns."),
            stalled: by.gauge("taproom_stalled_readers", "Sockets that take nothing of what waits for them.", &[]),
            closed_slow: by.counter(
                "taproom_slow_readers_closed_total",
                "Sockets closed because they did not read.",
                &[],
            ),
            resumes: RESUMES.map(|result| {
                let help = "Readers that came with a cursor, by what they got.";
                by.counter("taproom_resumes_total", help, &[("result", result)])
            }),
            refusals,
        }
    }

    /// Frames of text came in, with so many bytes.
    pub(crate) fn heard(&self, frames: u64, bytes: u64) {
        self.frames_in.increment(frames);
        self.bytes_in.increment(bytes);
    }

    /// Frames of text were written, with so many bytes.
    pub(crate) fn said(&self, frames: u64, bytes: u64) {
        self.frames_out.increment(frames);
        self.bytes_out.increment(bytes);
    }

    /// So many of them were messages of a room.
    pub(crate) fn delivered(&self, messages: u64) {
        self.deliveries.increment(messages);
    }

    /// The first reader of a room's turn was so many events behind. Every call is kept for up to
    /// [`UPKEEP`](Exporter::UPKEEP), so this is for one call in a pass, not one for each reader.
    pub(crate) fn behind(&self, events: u64) {
        self.lag.record(events as f64);
    }

    /// A socket takes nothing of what waits for it, for as long as the answer is kept.
    pub(crate) fn stalled(&self) -> Stalled {
        self.stalled.increment(1);
        Stalled(self.stalled.clone())
    }

    /// A socket was closed because it did not read.
    pub(crate) fn closed_slow(&self) {
        self.closed_slow.increment(1);
    }

    /// Somebody came with a cursor.
    pub(crate) fn resumed(&self, result: Resume) {
        self.resumes[result as usize].increment(1);
    }

    /// An `Error` was told.
    pub(crate) fn refused(&self, code: ErrorCode) {
        if let Some(reason) = reason_of(code) {
            self.refusals.count(reason);
        }
    }
}

/// A socket that is stalled now.
pub(crate) struct Stalled(Gauge);

impl Drop for Stalled {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

fn reason_of(code: ErrorCode) -> Option<Reason> {
    Some(match code {
        ErrorCode::BadFrame => Reason::BadFrame,
        ErrorCode::BadText => Reason::BadText,
        ErrorCode::TooLong => Reason::TooLong,
        ErrorCode::TooFast => Reason::TooFast,
        ErrorCode::Busy => Reason::Busy,
        ErrorCode::NameTaken => Reason::NameTaken,
        ErrorCode::BadName => Reason::BadName,
        ErrorCode::NotAllowed => Reason::NotAllowed,
        ErrorCode::NoSuchRoom => Reason::NoSuchRoom,
        ErrorCode::TooManyRooms => Reason::TooManyRooms,
        ErrorCode::RoomFull => Reason::RoomFull,
        // A server never says it.
        ErrorCode::Unknown => return None,
    })
}

impl Default for Journal {
    fn default() -> Journal {
        Metrics::default().journal
    }
}

impl Journal {
    fn registered(by: &Register<'_>) -> Journal {
        Journal {
            messages: by.counter("taproom_messages_total", "Messages that were kept.", &[]),
            commit_seconds: by.histogram(COMMIT_SECONDS, "How long it took to have a batch on disk, in seconds."),
            batch: by.histogram(BATCH, "Messages that went to disk together."),
            failures: by.counter("taproom_commit_failures_total", "Batches that the disk did not take.", &[]),
        }
    }

    /// A batch is on disk.
    pub(crate) fn committed(&self, drafts: usize, took: Duration) {
        self.batch.record(drafts as f64);
        self.commit_seconds.record(took.as_secs_f64());
    }

    /// The disk did not take a batch.
    pub(crate) fn failed(&self) {
        self.failures.increment(1);
    }

    /// So many messages are new.
    pub(crate) fn kept(&self, messages: usize) {
        self.messages.increment(messages as u64);
    }
}

impl Door {
    fn registered(by: &Register<'_>, refusals: Refusals) -> Door {
        let requests = CLASSES.map(|class| {
            let help = "HTTP requests that were answered, by the class of the status; 1xx became sockets.";
            by.counter("taproom_http_requests_total", help, &[("class", class)])
        });
        Door { requests, refusals }
    }

    /// A request was answered with this status.
    pub(crate) fn answered(&self, status: u16) {
        if let Some(class) = self.requests.get(usize::from(status / 100).wrapping_sub(1)) {
            class.increment(1);
        }
    }

    /// Somebody was turned away.
    pub(crate) fn refused(&self, reason: Reason) {
        self.refusals.count(reason);
    }
}

impl Refusals {
    fn count(&self, reason: Reason) {
        self.0[reason as usize].increment(1);
    }
}

impl Standing {
    fn registered(by: &Register<'_>) -> Standing {
        Standing {
            connections: by.gauge("taproom_connections", "Open sockets.", &[]),
            requests: by.gauge("taproom_http_connections", "Connections that ask over HTTP.", &[]),
            rooms: by.gauge("taproom_rooms", "Rooms that are open.", &[]),
        }
    }
}

impl Exporter {
    /// How often what was recorded is added up, so that it does not pile up while nobody asks.
    pub(crate) const UPKEEP: Duration = Duration::from_secs(5);

    /// Adds up what is recorded, again and again until the end.
    pub(crate) async fn keep_up(self, end: CancellationToken) {
        let keep_up = async {
            loop {
                tokio::time::sleep(Self::UPKEEP).await;
                self.handle.run_upkeep();
            }
        };
        end.run_until_cancelled(keep_up).await;
    }

    /// Everything that was measured, and how things stand: so many sockets, connections that ask over HTTP, and rooms.
    /// Reads the system's files about this process, which may take a moment.
    pub(crate) fn render(&self, connections: usize, requests: usize, rooms: usize) -> String {
        self.standing.connections.set(connections as f64);
        self.standing.requests.set(requests as f64);
        self.standing.rooms.set(rooms as f64);
        self.handle.render() + &process::lines()
    }
}

/// Makes handles.
struct Register<'a>(&'a dyn Recorder);

impl Register<'_> {
    const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

    fn counter(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &'static str)]) -> Counter {
        self.0.describe_counter(name.into(), None, help.into());
        self.0.register_counter(&key(name, labels), &Self::METADATA)
    }

    fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &'static str)]) -> Gauge {
        self.0.describe_gauge(name.into(), None, help.into());
        self.0.register_gauge(&key(name, labels), &Self::METADATA)
    }

    fn histogram(&self, name: &'static str, help: &'static str) -> Histogram {
        self.0.describe_histogram(name.into(), None, help.into());
        self.0.register_histogram(&key(name, &[]), &Self::METADATA)
    }
}

fn key(name: &'static str, labels: &[(&'static str, &'static str)]) -> Key {
    Key::from_parts(name, labels.iter().map(|(name, value)| Label::from_static_parts(name, value)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_label() {
        let label = |reason: Reason| {
            let camel = format!("{reason:?}");
            let snake =
                camel.chars().flat_map(|c| (c.is_uppercase().then_some('_')).into_iter().chain(c.to_lowercase()));
            snake.collect::<String>().trim_start_matches('_').to_owned()
        };
        for reason in [Reason::ServerFull, Reason::ForeignOrigin, Reason::BadFrame, Reason::TooManyRooms] {
            assert_eq!(REASONS[reason as usize], label(reason));
        }
    }

    #[test]
    fn two_servers_in_one_process_count_for_themselves() {
        let ((one, first), (_two, second)) = (Metrics::measured(), Metrics::measured());
        one.journal.kept(7);
        assert!(first.render(0, 0, 0).contains("\ntaproom_messages_total 7\n"));
        assert!(second.render(0, 0, 0).contains("\ntaproom_messages_total 0\n"));
    }

    #[test]
    fn where_nothing_is_measured_everything_may_be_counted_all_the_same() {
        let nothing = Metrics::default();
        nothing.delivery.delivered(1);
        nothing.delivery.behind(1);
        nothing.door.answered(999);
        nothing.door.answered(0);
    }
}
