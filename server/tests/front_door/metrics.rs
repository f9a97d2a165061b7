//! What an operator sees: off unless asked for, on a listener of its own, in the format that Prometheus reads, with labels
//! that do not grow.

use crate::support::{TestServer, binary, fresh_id, http, room, say, unhurried};
use app::protocol::{ErrorCode, Seq};
use server::config::Serve;
use std::collections::{BTreeMap, BTreeSet};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
};

/// A server that measures.
async fn measured(config: Serve) -> TestServer {
    TestServer::start_with(&Serve { metrics: Some("127.0.0.1:0".to_owned()), ..config }).await
}

/// What was measured: every sample by its name with its labels.
struct Samples(BTreeMap<String, f64>);

impl Samples {
    async fn of(server: &TestServer) -> Samples {
        let answer = server.ask_metrics("/metrics").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        Samples::read(answer.text())
    }

    /// Reads the text format strictly: help and type come once and first, every sample belongs to them, histograms add up.
    fn read(text: &str) -> Samples {
        let (mut samples, mut types, mut helped) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        assert!(text.ends_with('\n'));
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                assert!(helped.insert(name.to_owned()) && words.ends_with('.'), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(helped.contains(name), "{name} is explained");
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            } else {
                let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
                let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
                assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
                assert!(labels.ends_with('}') && labels.matches('"').count().is_multiple_of(2), "{line}");
                let family =
                    ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
                let kind = types.get(name).or(types.get(family)).unwrap_or_else(|| panic!("{line} has no type"));
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
                assert!(value >= 0.0, "{line}");
                assert!(samples.insert(sample.to_owned(), value).is_none(), "{line} comes twice");
            }
        }
        for (name, _) in types.iter().filter(|(_, kind)| *kind == "histogram") {
            let last = samples.get(&format!("{name}_bucket{{le=\"+Inf\"}}"));
            assert_eq!(last, samples.get(&format!("{name}_count")), "{name}");
        }
        Samples(samples)
    }

    fn get(&self, sample: &str) -> f64 {
        *self.0.get(sample).unwrap_or_else(|| panic!("{sample} is not in {:#?}", self.0.keys()))
    }

    fn refused(&self, reason: &str) -> f64 {
        self.get(&format!("taproom_refusals_total{{reason=\"{reason}\"}}"))
    }

    fn resumed(&self, result: &str) -> f64 {
        self.get(&format!("taproom_resumes_total{{result=\"{result}\"}}"))
    }
}

#[tokio::test]
async fn nothing_is_measured_unless_it_is_asked_for_and_never_where_visitors_come() {
    for server in [TestServer::start().await, measured(Serve::default()).await] {
        assert_eq!(server.get("/metrics").await.status, 404);
    }
    let server = measured(Serve::default()).await;
    for elsewhere in ["/", "/livez", "/r/x", "/metrics/"] {
        assert_eq!(server.ask_metrics(elsewhere).await.status, 404, "{elsewhere}");
    }
}

#[tokio::test]
async fn what_happens_is_counted() {
    let server = measured(unhurried()).await;
    let (mut ada, mut bo) = (server.enter("x").await, server.enter("y").await);
    bo.join(&room("x"), None, None).await;
    bo.status().await;
    let before = Samples::of(&server).await;
    assert_eq!((before.get("taproom_connections"), before.get("taproom_rooms")), (2.0, 2.0));
    for _ in 0..5 {
        let id = ada.say("hello").await;
        ada.ack(id).await;
        bo.next_chat_is(id).await;
    }
    ada.is_alive().await;
    let after = Samples::of(&server).await;
    let rose = |sample: &str| after.get(sample) - before.get(sample);
    assert_eq!(rose("taproom_messages_total"), 6.0);
    assert!((10.0..=12.0).contains(&rose("taproom_deliveries_total")), "two readers, the last message on its way");
    assert_eq!(rose("taproom_frames_total{direction=\"in\"}"), 6.0);
    assert!(rose("taproom_frames_total{direction=\"out\"}") >= 16.0);
    assert!(rose("taproom_frame_bytes_total{direction=\"in\"}") > 6.0 * 30.0);
    assert!(rose("taproom_frame_bytes_total{direction=\"out\"}") > rose("taproom_frame_bytes_total{direction=\"in\"}"));
    assert_eq!(rose("taproom_commit_messages_sum"), 6.0);
    assert_eq!(rose("taproom_commit_seconds_count"), rose("taproom_commit_messages_count"));
    assert!(rose("taproom_commit_seconds_sum") > 0.0);
    assert!(rose("taproom_cursor_lag_events_count") > 0.0);
    assert_eq!(after.get("taproom_commit_failures_total"), 0.0);
    assert_eq!(after.get("taproom_stalled_readers"), 0.0);
    assert_eq!(after.get(&format!("taproom_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), 1.0);
    assert_eq!(after.get("taproom_http_requests_total{class=\"1xx\"}"), 2.0);
    server.get("/nowhere").await;
    assert_eq!(Samples::of(&server).await.get("taproom_http_requests_total{class=\"4xx\"}"), 1.0);
}

#[tokio::test]
async fn refusals_are_counted_by_reason() {
    let server = measured(Serve { max_connections: Some(2), max_connections_per_room: 1, ..unhurried() }).await;
    let mut client = server.enter("x").await;
    client.send_raw("{").await;
    assert_eq!(client.error().await.code, ErrorCode::BadFrame);
    client.send_raw(r#"{"Type":"Nick","Name":"/no"}"#).await;
    assert_eq!(client.error().await.code, ErrorCode::BadName);
    assert_eq!(server.knock("room=x", &[]).await.status, 503);
    assert_eq!(server.knock("room=x", &[("origin", "https://elsewhere.example")]).await.status, 403);
    let mut other = server.enter("y").await;
    assert_eq!(server.knock("room=z", &[]).await.status, 503);
    other.join(&room("x"), None, None).await;
    assert_eq!(other.error().await.code, ErrorCode::RoomFull);
    let samples = Samples::of(&server).await;
    for (reason, times) in [
        ("bad_frame", 1.0),
        ("bad_name", 1.0),
        ("room_full", 2.0),
        ("foreign_origin", 1.0),
        ("server_full", 1.0),
        ("busy", 0.0),
    ] {
        assert_eq!(samples.refused(reason), times, "{reason}");
    }
}

#[tokio::test]
async fn resumes_are_counted_by_what_they_came_to() {
    let server = measured(unhurried()).await;
    let mut ada = server.enter("x").await;
    let messages: Vec<_> = (0..1_010).map(|number| say(fresh_id(), &number.to_string())).collect();
    ada.say_all(&messages).await;
    let head = server.history("x", "").await.head;
    for after in [head, Seq(head.0 - 3), Seq(1)] {
        server.connect(&format!("room=x&after={after}")).await.users().await;
    }
    let samples = Samples::of(&server).await;
    assert_eq!(["live", "replayed", "gap"].map(|result| samples.resumed(result)), [1.0, 1.0, 1.0]);
}

#[tokio::test]
async fn there_are_as_many_samples_however_many_rooms_and_people_there_are() {
    let server = measured(unhurried()).await;
    let mut names = BTreeSet::new();
    for round in 0..3 {
        for number in 0..10 {
            let mut client = server.enter(&format!("room-{round}-{number}")).await;
            client.nick(&format!("somebody {round} {number}")).await;
            client.is_alive().await;
        }
        let samples: BTreeSet<String> = Samples::of(&server).await.0.into_keys().collect();
        assert!(round == 0 || samples == names, "{:?}", samples.symmetric_difference(&names));
        names = samples;
    }
    assert!(!names.iter().any(|name| name.contains("somebody") || name.contains("room-0")));
}

#[tokio::test]
async fn the_binary_answers_on_the_address_that_it_is_given() {
    let data = tempfile::tempdir().expect("a directory");
    let mut command = binary::taproom(&["serve", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--data"]);
    command.arg(data.path());
    let (mut child, _) = binary::started(command).await;
    let mut log = BufReader::new(child.stderr.as_mut().expect("it is piped")).lines();
    let address = loop {
        let line = log.next_line().await.expect("a text").expect("it says where");
        if let Some((_, rest)) = line.split_once("\"metrics\":\"") {
            break rest.split('"').next().expect("an address").to_owned();
        }
    };
    let wire = Box::new(TcpStream::connect(&address).await.expect("it listens"));
    let answer = http::ask(wire, &address, "GET", "/metrics", &[]).await;
    let samples = Samples::read(answer.text());
    if cfg!(target_os = "linux") {
        assert!(samples.get("process_resident_memory_bytes") > 1_000_000.0);
        assert!(samples.get("process_open_fds") < samples.get("process_max_fds"));
        assert!(samples.get("process_cpu_seconds_total") < 60.0);
    }
    binary::signal(&child, "-TERM").await;
    assert_eq!(binary::ended(child).await.0, Some(0));
}
