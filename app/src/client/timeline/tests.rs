use super::*;
use crate::protocol::{Kind, MessageId, NickName, RoomName, SocketId, Text, Timestamp};
use proptest::prelude::*;

fn chat(seq: u64) -> Chat {
    Chat {
        room: RoomName::default(),
        socket: SocketId("s".into()),
        author: NickName::parse("ada").expect("a name"),
        text: Text::parse("hello").expect("a text"),
        sent: Timestamp(seq * 1_000),
        seq: Seq(seq),
        id: MessageId::new(seq, 0),
        kind: Kind::Speech,
    }
}

fn event(seq: u64) -> Event {
    Event::Chat(chat(seq))
}

fn page(seqs: std::ops::RangeInclusive<u64>, head: u64) -> Page {
    let events = seqs.map(event).collect();
    Page { room: RoomName::default(), epoch: Epoch("one".into()), head: Seq(head), events }
}

fn timeline(seqs: std::ops::RangeInclusive<u64>) -> Timeline {
    let head = *seqs.end();
    Timeline::of_page(&page(seqs, head))
}

fn seqs(timeline: &Timeline) -> Vec<u64> {
    timeline.messages().map(|message| message.place.seq.0).collect()
}

fn holes(timeline: &Timeline) -> Vec<(u64, u64, HoleState)> {
    let hole = |entry: &Entry| match entry {
        Entry::Hole(hole) => Some((hole.from.0, hole.to.0, hole.state)),
        _ => None,
    };
    timeline.entries().filter_map(hole).collect()
}

/// Every position up to the cursor is here once, in order, as a message or in a hole, from the first one that is here.
fn check(timeline: &Timeline) {
    let mut next: Option<Place> = None;
    for entry in timeline.entries() {
        let (from, to) = match entry {
            Entry::Message(message) => (message.place, message.place.seq),
            Entry::Hole(hole) => (hole.place(), hole.to),
            Entry::Restart(era) => {
                next = Some(Place { era: *era, seq: Seq(1) });
                continue;
            }
            Entry::Note(_) => continue,
        };
        assert!(next.is_none_or(|next| next == from), "{next:?} should follow, not {from:?}");
        assert!(from.seq <= to, "{from:?} to {to:?}");
        next = Some(Place { era: from.era, seq: to.next() });
    }
    if let Some(next) = next.filter(|next| next.era == timeline.era()) {
        assert_eq!(next.seq, timeline.cursor().next());
    }
    let shown = timeline.window.range();
    assert!(shown.start <= shown.end && shown.end <= timeline.entries.len(), "{shown:?}");
    assert!(shown.len() <= super::super::window::MAX_SHOWN_HOLDING, "{shown:?}");
    assert!(timeline.entries.len() <= MAX_ENTRIES);
    assert!(!timeline.is_following() || timeline.shows_the_end());
}

#[test]
fn a_page_is_where_it_begins() {
    let timeline = timeline(11..=60);
    assert_eq!(timeline.cursor(), Seq(60));
    assert_eq!(timeline.top(), Top::More(Seq(11)));
    check(&timeline);
}

#[test]
fn what_is_known_is_not_shown_twice_and_nothing_is_jumped_over() {
    let mut timeline = timeline(1..=3);
    assert_eq!(timeline.apply(event(3), false), Applied::Known);
    assert_eq!(timeline.apply(event(5), false), Applied::Ahead);
    assert_eq!(timeline.apply(event(4), false), Applied::New);
    assert_eq!(seqs(&timeline), [1, 2, 3, 4]);
}

#[test]
fn a_gap_is_a_hole_that_history_fills_from_below() {
    let mut timeline = timeline(1..=3);
    assert_eq!(timeline.skip(Seq(4), Seq(100)), Applied::New);
    timeline.apply(event(101), false);
    assert_eq!(holes(&timeline), [(4, 100, HoleState::Wanted)]);
    assert_eq!(timeline.wanted_hole(), Some(Seq(101)));
    timeline.history(Seq(101), &page(51..=100, 101));
    assert_eq!(holes(&timeline), [(4, 50, HoleState::Open)]);
    timeline.want_hole(Place { era: 0, seq: Seq(4) });
    timeline.history(Seq(51), &page(1..=50, 101));
    assert_eq!(seqs(&timeline), (1..=101).collect::<Vec<_>>());
    assert_eq!(timeline.top(), Top::Beginning);
    check(&timeline);
}

#[test]
fn what_the_server_no_longer_has_is_said_to_be_lost() {
    let mut timeline = timeline(1..=3);
    timeline.skip(Seq(4), Seq(100));
    timeline.history(Seq(101), &page(81..=100, 100));
    assert_eq!(holes(&timeline), [(4, 80, HoleState::Lost)]);
    let mut timeline = self::timeline(11..=60);
    timeline.history(Seq(11), &page(8..=10, 60));
    assert_eq!(timeline.top(), Top::Forgotten);
}

#[test]
fn a_new_epoch_keeps_what_is_on_screen() {
    let mut timeline = timeline(11..=60);
    timeline.begin_era(Epoch("two".into()));
    assert_eq!(timeline.cursor(), Seq::ZERO);
    assert_eq!(timeline.top(), Top::Forgotten);
    timeline.apply(event(1), false);
    assert_eq!(timeline.messages().count(), 51);
    check(&timeline);
}

#[test]
fn an_empty_room_that_restarts_shows_nothing_of_it() {
    let mut timeline = Timeline::of_page(&Page { events: Vec::new(), ..page(1..=1, 0) });
    timeline.begin_era(Epoch("two".into()));
    assert_eq!(timeline.entries().count(), 0);
    assert_eq!(timeline.top(), Top::Beginning);
}

#[test]
fn who_reads_above_keeps_what_is_shown_and_hears_how_much_is_new() {
    let mut timeline = timeline(1..=50);
    timeline.hold();
    for seq in 51..=600 {
        timeline.apply(event(seq), false);
    }
    assert_eq!(timeline.unseen(), 550);
    assert_eq!(timeline.window.range(), 0..450);
    assert!(timeline.reveal_newer());
    assert_eq!(timeline.window.range(), 100..500);
    assert!(timeline.reveal_older());
    assert_eq!(timeline.window.range(), 50..450);
    timeline.follow();
    assert_eq!(timeline.unseen(), 0);
    assert_eq!(timeline.window.range(), 550..600);
    check(&timeline);
}

#[test]
fn a_thousand_messages_leave_four_hundred_shown() {
    let mut timeline = timeline(1..=50);
    for seq in 51..=1_050 {
        timeline.apply(event(seq), false);
    }
    assert_eq!(timeline.window.range(), 650..1_050);
}

#[test]
fn who_reads_above_for_long_finds_a_hole_at_the_end_which_is_then_filled() {
    let mut timeline = timeline(1..=50);
    timeline.hold();
    for seq in 51..=6_000 {
        timeline.apply(event(seq), false);
        check(&timeline);
    }
    assert_eq!(timeline.window.range(), 0..450);
    let (from, to, _) = holes(&timeline)[0];
    assert!(from > 4_900 && to >= 5_990, "{from}..={to}");
    timeline.follow();
    let before = timeline.wanted_hole();
    timeline.history(before.expect("the hole at the end is wanted"), &page(5_951..=6_000, 6_000));
    assert_eq!(seqs(&timeline).last(), Some(&6_000));
    check(&timeline);
}

#[test]
fn who_follows_for_long_lets_go_of_the_oldest() {
    let mut timeline = timeline(1..=1);
    for seq in 2..=5_100 {
        timeline.apply(event(seq), false);
    }
    assert_eq!(timeline.top(), Top::More(Seq(101)));
    check(&timeline);
}

#[test]
fn the_line_of_new_messages_stands_where_the_reader_left() {
    let mut timeline = timeline(1..=3);
    let left = timeline.place();
    timeline.enter(Some(left));
    assert_eq!(timeline.mark(), None);
    timeline.apply(event(4), false);
    timeline.apply(event(5), false);
    timeline.enter(Some(left));
    assert_eq!(timeline.mark(), Some(Place { era: 0, seq: Seq(4) }));
}

#[derive(Debug, Clone)]
enum Step {
    Events(u64),
    Again(u64),
    Ahead,
    Gap(u64),
    Restart,
    Older(u64),
    Fill(u64),
    WantHole,
    Note,
    Follow,
    Hold,
    RevealOlder,
    RevealNewer,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..300).prop_map(Step::Events),
        1 => (1_u64..20).prop_map(Step::Again),
        1 => Just(Step::Ahead),
        1 => (1_u64..2_000).prop_map(Step::Gap),
        1 => Just(Step::Restart),
        4 => (0_u64..=50).prop_map(Step::Older),
        2 => (0_u64..=50).prop_map(Step::Fill),
        2 => Just(Step::WantHole),
        1 => Just(Step::Note),
        1 => Just(Step::Follow),
        2 => Just(Step::Hold),
        2 => Just(Step::RevealOlder),
        2 => Just(Step::RevealNewer),
    ]
}

fn before(timeline: &Timeline, before: Seq, count: u64) -> Page {
    let mut page = page(before.0.saturating_sub(count).max(1)..=before.0 - 1, timeline.cursor().0);
    page.epoch = timeline.epoch().clone();
    page
}

fn take(timeline: &mut Timeline, step: Step) {
    let cursor = timeline.cursor().0;
    match step {
        Step::Events(count) => (cursor + 1..=cursor + count).for_each(|seq| {
            assert_eq!(timeline.apply(event(seq), false), Applied::New);
        }),
        Step::Again(back) => {
            assert_eq!(timeline.apply(event(cursor.saturating_sub(back)), false), Applied::Known);
        }
        Step::Ahead => assert_eq!(timeline.apply(event(cursor + 2), false), Applied::Ahead),
        Step::Gap(count) => assert_eq!(timeline.skip(Seq(cursor), Seq(cursor + count)), Applied::New),
        Step::Restart => timeline.begin_era(Epoch(["e", &timeline.era().to_string()].concat().into())),
        Step::Older(count) => {
            if let Top::More(from) = timeline.top() {
                timeline.history(from, &before(timeline, from, count));
            }
        }
        Step::Fill(count) => {
            if let Some(to) = timeline.wanted_hole() {
                timeline.history(to, &before(timeline, to, count));
            }
        }
        Step::WantHole => {
            let open = timeline.entries().find_map(|entry| match entry {
                Entry::Hole(hole) if hole.state == HoleState::Open => Some(hole.place()),
                _ => None,
            });
            if let Some(place) = open {
                timeline.want_hole(place);
            }
        }
        Step::Note => timeline.note("a note"),
        Step::Follow => timeline.follow(),
        Step::Hold => timeline.hold(),
        Step::RevealOlder => drop(timeline.reveal_older()),
        Step::RevealNewer => drop(timeline.reveal_newer()),
    }
}

proptest! {
    #[test]
    fn whatever_happens_every_position_is_here_once_and_in_order(
        first in 0_u64..200,
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let mut timeline = timeline(first + 1..=first + 50);
        for step in steps {
            take(&mut timeline, step);
            check(&timeline);
        }
    }
}
