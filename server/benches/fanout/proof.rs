//! The parts of the load that decide what is lost, doubled or late, held to their own tests.
#![allow(dead_code, reason = "the load uses the rest")]

mod faults;
#[path = "bars/figures.rs"]
mod figures;
mod frames;
mod known;
#[path = "bars/picture.rs"]
mod picture;
mod plan;
mod report;
mod sequence;
#[path = "bars/verdicts.rs"]
mod verdicts;

use faults::Faults;
use frames::{HEAD, ID, Kind, MESSAGE, SEQ, TYPE, first, from_client, from_server};
use known::Known;
use picture::Group;
use plan::{Plan, Presence};
use sequence::{Heard, Sequence};
use std::time::Duration;
use verdicts::Verdicts;

fn heard(positions: &[u64]) -> Vec<Heard> {
    let mut sequence = Sequence::after(3);
    positions.iter().map(|seq| sequence.hear(*seq)).collect()
}

#[test]
fn what_comes_in_order_is_in_order() {
    assert_eq!(heard(&[4, 5, 6]), [Heard::InOrder; 3]);
}

#[test]
fn what_was_passed_over_is_late_when_it_comes_and_doubled_when_it_comes_again() {
    assert_eq!(heard(&[4, 6, 5, 5, 7]), [Heard::InOrder, Heard::InOrder, Heard::Late, Heard::Again, Heard::InOrder]);
}

#[test]
fn what_was_there_before_is_doubled() {
    assert_eq!(heard(&[3, 4, 4]), [Heard::Again, Heard::InOrder, Heard::Again]);
}

fn plan(connections: usize, rooms: usize, senders: usize) -> Plan {
    Plan { rooms, senders, rate: 7.0, payload: 30, duration: Duration::from_secs(3), ..Plan::of(connections) }
}

#[test]
fn every_message_is_expected_once_at_everybody_in_its_room() {
    for plan in [plan(10, 1, 4), plan(10, 3, 6), plan(5, 5, 5)] {
        let in_room = |room| (0..plan.connections).filter(|one| plan.room(*one) == room).count();
        let expected: usize = (0..plan.messages()).map(|message| in_room(plan.room(plan.sender(message)))).sum();
        assert_eq!(plan.deliveries(), expected, "{plan:?}");
    }
}

#[test]
fn who_stalls_is_not_expected_to_hear_and_who_is_everywhere_hears_everything() {
    let some_stall = Plan { stalled: 4, ..plan(10, 1, 4) };
    assert_eq!(some_stall.deliveries(), some_stall.messages() * 6);
    let everywhere = Plan { presence: Presence::EveryRoom, ..plan(10, 3, 6) };
    assert_eq!(everywhere.deliveries(), everywhere.messages() * 10);
    assert_eq!(everywhere.other_rooms(4).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(plan(10, 3, 6).other_rooms(4).count(), 0);
}

#[test]
fn a_load_of_fewer_deliveries_is_as_fast() {
    let plan = plan(10, 1, 4);
    let fewer = plan.with_one_sender_a_room(100);
    assert_eq!((fewer.rate, fewer.senders), (plan.rate, 1));
    assert!((100..=110).contains(&fewer.deliveries()), "100, and what completes the last message: {fewer:?}");
    assert_eq!(plan.with_one_sender_a_room(1_000_000).duration, plan.duration);
}

#[test]
fn the_same_bytes_at_the_same_position_mean_the_same_and_nothing_else_does() {
    let (mut known, due) = (Known::nothing(), Duration::from_secs(7));
    assert_eq!(known.due(5, b"five"), None);
    known.learn(5, due, b"five");
    assert_eq!(known.due(5, b"five"), Some(due));
    assert_eq!(known.due(5, b"fivE"), None, "other bytes");
    assert_eq!(known.due(6, b"five"), None, "another position");
    known.learn(5, Duration::ZERO, b"late");
    assert_eq!(known.due(5, b"five"), Some(due), "who heard first is who is believed");
    known.learn(5 + 1_024, due, b"far on");
    assert_eq!(known.due(5, b"five"), None, "its place was needed");
    known.forget();
    assert_eq!(known.due(5 + 1_024, b"far on"), None);
}

#[test]
fn what_is_passed_over_is_not_missed() {
    let mut sequence = Sequence::after(3);
    sequence.pass_over(10);
    assert_eq!((sequence.hear(11), sequence.missing(), sequence.newest()), (Heard::InOrder, 0, 11));
    assert_eq!((sequence.hear(13), sequence.missing()), (Heard::InOrder, 1));
}

#[test]
fn a_bar_holds_up_to_its_bound_and_misses_above_it() {
    let mut verdicts = Verdicts::default();
    verdicts.at_most("cheap", Some(1.0), "x", 1.0);
    assert!(verdicts.hold() && verdicts.to_string().contains("| holds"), "{verdicts}");
    verdicts.at_most("dear", Some(1.01), "x", 1.0);
    assert!(!verdicts.hold() && verdicts.to_string().contains("1.01 x"), "{verdicts}");
    assert!(verdicts.is_clean(), "to miss a bar is not to lose a message");
}

#[test]
fn no_ratio_is_told_where_a_message_was_lost() {
    let (whole, lost) = (Faults::default(), Faults { lost: 7, ..Faults::default() });
    let mut verdicts = Verdicts::default();
    verdicts.at_most_if_whole("CPU", Some(0.53), "x", Some(1.0), &[("taproom", &whole), ("bun", &lost)]);
    verdicts.blame("a load, bun", &lost);
    let told = verdicts.to_string();
    assert!(told.contains("REFUSED") && told.contains("bun lost: 7, 0, 0") && !told.contains("0.53"), "{told}");
    assert!(told.contains("NOT everything arrived") && !verdicts.is_clean() && !verdicts.hold(), "{told}");
}

#[test]
fn the_picture_shows_every_figure_in_proportion_and_leaves_out_what_was_not_measured() {
    let group = Group { name: "a < b & c".to_owned(), taproom: Some(2.0), bun: Some(4.0), floor: None };
    let picture = picture::draw(std::slice::from_ref(&group), &[Group { taproom: None, bun: None, ..group.clone() }]);
    assert!(picture.contains(r#"<rect class="taproom" x="200.0" y="74.0" width="220.0""#), "{picture}");
    assert!(picture.contains(r#"<rect class="bun" x="200.0" y="93.0" width="440.0""#), "{picture}");
    assert!(picture.contains("a &lt; b &amp; c") && picture.contains(">4.00</text>"), "{picture}");
    assert!(!picture.contains("Memory"), "{picture}");
    assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count());
}

#[test]
fn a_text_tells_when_it_was_due() {
    let plan = plan(10, 1, 4);
    assert_eq!(plan.text(20).len(), 30);
    assert_eq!(Plan::due_of_text(plan.text(20).as_bytes()), Some(plan.due(20)));
    assert_eq!(Plan::due_of_text(b"17"), None);
    assert_eq!(Plan::due_of_text(b"some other message"), None);
}

#[test]
fn a_frame_is_read_when_it_is_whole_and_not_before() {
    for length in [0, 1, 125, 126, 4_000, 65_535] {
        let text = "x".repeat(length);
        let mut bytes = from_server(&text);
        let whole = bytes.len();
        bytes.extend(b"\x81\x01y");
        assert_eq!(first(&bytes).expect("a frame"), Some((Kind::Text, text.as_bytes(), whole)), "{length}");
        for cut in [0, 1, 2, 3, 9, whole - 1].into_iter().filter(|cut| *cut < whole) {
            assert_eq!(first(&bytes[..cut]).expect("no error"), None, "{cut} of {length}");
        }
    }
}

#[test]
fn what_no_server_sends_is_an_error() {
    assert!(first(b"\x01\x00").is_err(), "a fragment");
    assert!(first(&from_client("masked")).is_err(), "a masked frame");
}

#[test]
fn fields_are_found_wherever_they_stand() {
    let json = br#"{"Type":"Chat","Author":"\"Seq\":9","Message":"eA==","Seq":17,"Id":"B1"}"#;
    assert_eq!(TYPE.string(json), Some(b"Chat".as_slice()));
    assert_eq!(MESSAGE.string(json), Some(b"eA==".as_slice()));
    assert_eq!((SEQ.number(json), HEAD.number(json)), (Some(17), None));
    assert_eq!(ID.string(json), Some(b"B1".as_slice()));
}
