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
    let mut numbers = std::collections::HashSet::new();
    for entry in timeline.entries() {
        let (from, to) = match entry {
            Entry::Message(message) => (message.place, message.place.seq),
            Entry::Hole(hole) => {
                assert!(numbers.insert(hole.number), "two holes have the number {}", hole.number);
                (hole.place(), hole.to)
            }
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
    assert!(shown.len() <= super::super::window::MAX_SHOWN, "{shown:?}");
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
fn a_gap_is_a_hole_that_is_filled_from_below_when_the_reader_says_so() {
    let mut timeline = timeline(1..=3);
    assert_eq!(timeline.skip(Seq(4), Seq(100)), Applied::New);
    timeline.apply(event(101), false);
    assert_eq!(holes(&timeline), [(4, 100, HoleState::Offered)]);
    assert!(!timeline.near_hole(1, Edge::Upper), "a gap is not loaded unasked");
    timeline.want_hole(1, Edge::Lower);
    assert_eq!(timeline.wanted(), Some(Stretch::Before(Seq(101))));
    timeline.history(Stretch::Before(Seq(101)), &page(51..=100, 101));
    assert_eq!(holes(&timeline), [(4, 50, HoleState::Open)]);
    assert!(timeline.near_hole(1, Edge::Lower), "whoever began to load it goes on by scrolling");
    timeline.history(Stretch::Before(Seq(51)), &page(1..=50, 101));
    assert_eq!(seqs(&timeline), (1..=101).collect::<Vec<_>>());
    assert_eq!(timeline.top(), Top::Beginning);
    check(&timeline);
}

#[test]
fn a_hole_is_filled_from_above_for_those_who_read_on() {
    let mut timeline = timeline(1..=3);
    timeline.skip(Seq(4), Seq(100));
    timeline.want_hole(1, Edge::Upper);
    assert_eq!(timeline.wanted(), Some(Stretch::After(Seq(3))));
    timeline.history(Stretch::After(Seq(3)), &page(4..=53, 100));
    assert_eq!(holes(&timeline), [(54, 100, HoleState::Open)]);
    assert!(timeline.messages().skip(1).all(|message| !message.opens), "it goes on without a break");
    timeline.want_hole(1, Edge::Upper);
    timeline.history(Stretch::After(Seq(53)), &page(54..=100, 100));
    assert_eq!(seqs(&timeline), (1..=100).collect::<Vec<_>>());
    check(&timeline);
}

#[test]
fn one_page_comes_for_one_wish() {
    let mut timeline = timeline(1..=3);
    timeline.skip(Seq(4), Seq(9_000));
    timeline.want_hole(1, Edge::Lower);
    timeline.history(Stretch::Before(Seq(9_001)), &page(8_951..=9_000, 9_000));
    assert_eq!(timeline.wanted(), None);
}

#[test]
fn a_page_opened_at_a_message_goes_on_in_both_directions() {
    let mut timeline = Timeline::around(&page(176..=225, 1_000), Seq(200)).expect("it is in the page");
    assert_eq!(timeline.top(), Top::More(Seq(176)));
    assert_eq!(timeline.cursor(), Seq(1_000));
    assert_eq!(holes(&timeline), [(226, 1_000, HoleState::Open)]);
    assert_eq!(timeline.focus(), Some(Place { era: 0, seq: Seq(200) }));
    assert!(!timeline.is_following() && !timeline.reaches_the_newest());
    timeline.apply(event(1_001), false);
    assert_eq!(timeline.unseen(), 1);
    assert!(timeline.near_hole(1, Edge::Upper));
    timeline.history(Stretch::After(Seq(225)), &page(226..=275, 1_001));
    timeline.history(Stretch::Before(Seq(176)), &page(126..=175, 1_001));
    assert_eq!(timeline.top(), Top::More(Seq(126)));
    check(&timeline);
    timeline.follow();
    assert_eq!(timeline.wanted(), Some(Stretch::Before(Seq(1_001))), "what led to the newest is loaded");
    assert_eq!(timeline.unseen(), 0);
}

#[test]
fn a_page_that_does_not_have_the_message_is_not_opened_at_it() {
    assert!(Timeline::around(&page(1..=50, 50), Seq(51)).is_none());
    assert!(Timeline::around(&page(1..=50, 50), Seq(0)).is_none());
    assert!(Timeline::around(&Page { events: Vec::new(), ..page(1..=1, 0) }, Seq(1)).is_none());
}

#[test]
fn a_short_page_around_the_newest_does_not_say_that_there_is_nothing_above() {
    let mut timeline = Timeline::around(&page(975..=1_000, 1_000), Seq(1_000)).expect("it is in the page");
    assert_eq!(timeline.top(), Top::More(Seq(975)));
    timeline.history(Stretch::Before(Seq(975)), &Page { events: Vec::new(), ..page(1..=1, 1_000) });
    assert_eq!(timeline.top(), Top::Forgotten);
}

#[test]
fn a_message_far_above_is_put_in_its_place_with_a_hole_below_it() {
    let mut timeline = timeline(951..=1_000);
    assert!(!timeline.focus_on(Seq(300)));
    timeline.history(Stretch::Around(Seq(300)), &page(275..=324, 1_000));
    assert!(timeline.focus_on(Seq(300)));
    assert_eq!(holes(&timeline), [(325, 950, HoleState::Open)]);
    check(&timeline);
    timeline.history(Stretch::Around(Seq(600)), &page(575..=624, 1_000));
    assert_eq!(holes(&timeline), [(325, 574, HoleState::Open), (625, 950, HoleState::Open)]);
    check(&timeline);
}

#[test]
fn a_message_after_a_gap_shows_its_author_for_good() {
    let mut timeline = timeline(1..=3);
    timeline.skip(Seq(4), Seq(10));
    timeline.apply(event(11), false);
    timeline.want_hole(1, Edge::Upper);
    timeline.history(Stretch::After(Seq(3)), &page(4..=11, 11));
    assert!(timeline.messages().last().is_some_and(|message| message.opens));
    check(&timeline);
}

#[test]
fn two_gaps_one_after_the_other_are_one() {
    let mut timeline = Timeline::around(&page(1..=50, 1_000), Seq(20)).expect("it is in the page");
    timeline.skip(Seq(1_001), Seq(3_000));
    assert_eq!(holes(&timeline), [(51, 3_000, HoleState::Open)]);
}

#[test]
fn what_the_server_no_longer_has_is_said_to_be_lost() {
    let mut timeline = timeline(1..=3);
    timeline.skip(Seq(4), Seq(100));
    timeline.history(Stretch::Before(Seq(101)), &page(81..=100, 100));
    assert_eq!(holes(&timeline), [(4, 80, HoleState::Lost)]);
    let mut timeline = self::timeline(1..=3);
    timeline.skip(Seq(4), Seq(200));
    timeline.history(Stretch::After(Seq(3)), &page(101..=150, 200));
    assert_eq!(holes(&timeline), [(4, 100, HoleState::Lost), (151, 200, HoleState::Open)]);
    let mut timeline = self::timeline(11..=60);
    timeline.history(Stretch::Before(Seq(11)), &page(8..=10, 60));
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
    assert_eq!(timeline.window.range(), 0..50);
    (0..8).for_each(|_| assert!(timeline.reveal_newer()));
    assert_eq!(timeline.window.range(), 50..450);
    assert!(timeline.reveal_older());
    assert_eq!(timeline.window.range(), 0..400);
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
    assert_eq!(timeline.window.range(), 0..50);
    let (from, to, _) = holes(&timeline)[0];
    assert!(from > 4_900 && to >= 5_990, "{from}..={to}");
    timeline.follow();
    let asked = timeline.wanted().expect("the hole at the end is wanted");
    timeline.history(asked, &answer(&timeline, asked, 50));
    assert_eq!(seqs(&timeline).last(), Some(&6_000));
    check(&timeline);
}

#[test]
fn who_scrolls_back_for_long_and_comes_back_finds_everything() {
    let mut timeline = timeline(11_951..=12_000);
    timeline.hold();
    while let Top::More(before) = timeline.top() {
        timeline.reveal_older();
        timeline.history(Stretch::Before(before), &page(before.0 - 50..=before.0 - 1, 12_000));
        check(&timeline);
    }
    assert_eq!(timeline.top(), Top::Beginning);
    while timeline.reveal_older() {}
    assert_eq!(timeline.window.range().start, 0);
    let (from, to, state) = holes(&timeline)[0];
    assert_eq!((to, state), (12_000, HoleState::Open));
    assert!((4_900..=5_000).contains(&from), "{from}");
    let mut seen = std::collections::BTreeSet::new();
    while !timeline.reaches_the_newest() {
        seen.extend(timeline.shown().filter_map(|(_, entry)| entry.place()).map(|place| place.seq.0));
        if !timeline.reveal_newer() {
            let hole = timeline.entries().find_map(|entry| match entry {
                Entry::Hole(hole) => Some(hole.clone()),
                _ => None,
            });
            assert!(timeline.near_hole(hole.expect("there is more").number, Edge::Upper));
            let Some(Stretch::After(after)) = timeline.wanted() else { panic!("it is wanted") };
            timeline.history(Stretch::After(after), &page(after.0 + 1..=after.0 + 50, 12_000));
        }
        check(&timeline);
    }
    seen.extend(timeline.shown().filter_map(|(_, entry)| entry.place()).map(|place| place.seq.0));
    assert!((1..=12_000).all(|seq| seen.contains(&seq)), "every message was shown on the way");
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
    WantHole(Edge),
    NearHole(Edge),
    Seek(u64),
    Unasked(u64),
    Note,
    Follow,
    Hold,
    RevealOlder,
    RevealNewer,
}

fn edge() -> impl Strategy<Value = Edge> {
    prop_oneof![Just(Edge::Upper), Just(Edge::Lower)]
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
        2 => edge().prop_map(Step::WantHole),
        2 => edge().prop_map(Step::NearHole),
        2 => (0_u64..3_000).prop_map(Step::Seek),
        1 => (0_u64..3_000).prop_map(Step::Unasked),
        1 => Just(Step::Note),
        1 => Just(Step::Follow),
        2 => Just(Step::Hold),
        2 => Just(Step::RevealOlder),
        2 => Just(Step::RevealNewer),
    ]
}

/// What a server answers that has the whole log, in pages of `count`.
fn answer(timeline: &Timeline, asked: Stretch, count: u64) -> Page {
    let head = timeline.cursor().0;
    let (from, to) = match asked {
        Stretch::Newest => (head.saturating_sub(count) + 1, head),
        Stretch::Before(before) => (before.0.saturating_sub(count), before.0 - 1),
        Stretch::After(after) => (after.0 + 1, after.0 + count),
        Stretch::Around(seq) => (seq.0.saturating_sub(count / 2), seq.0 + count / 2),
    };
    Page { epoch: timeline.epoch().clone(), ..page(from.max(1)..=to.min(head), head) }
}

fn a_hole(timeline: &Timeline, state: HoleState) -> Option<u32> {
    timeline.entries().find_map(|entry| match entry {
        Entry::Hole(hole) if hole.state == state => Some(hole.number),
        _ => None,
    })
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
                let asked = Stretch::Before(from);
                timeline.history(asked, &answer(timeline, asked, count));
            }
        }
        Step::Fill(count) => {
            if let Some(asked) = timeline.wanted() {
                timeline.history(asked, &answer(timeline, asked, count));
                assert_ne!(timeline.wanted(), Some(asked), "it is not asked for again without end");
            }
        }
        Step::WantHole(edge) => {
            if let Some(number) = a_hole(timeline, HoleState::Offered) {
                timeline.want_hole(number, edge);
                assert!(timeline.wanted().is_some());
            }
        }
        Step::NearHole(edge) => {
            if let Some(number) = a_hole(timeline, HoleState::Open) {
                assert!(timeline.near_hole(number, edge));
            }
        }
        Step::Seek(seq) => seek(timeline, Seq(seq)),
        Step::Unasked(seq) => {
            // An answer that comes late is a fact all the same.
            let asked = Stretch::After(Seq(seq));
            timeline.history(asked, &answer(timeline, asked, 50));
        }
        Step::Note => timeline.note("a note"),
        Step::Follow => timeline.follow(),
        Step::Hold => timeline.hold(),
        Step::RevealOlder => drop(timeline.reveal_older()),
        Step::RevealNewer => drop(timeline.reveal_newer()),
    }
}

fn seek(timeline: &mut Timeline, seq: Seq) {
    let can_be_had = (1..=timeline.cursor().0).contains(&seq.0) && matches!(timeline.top(), Top::More(_));
    let is_here = timeline.focus_on(seq);
    if !is_here {
        let asked = Stretch::Around(seq);
        timeline.history(asked, &answer(timeline, asked, 50));
    }
    let found = timeline.focus_on(seq);
    // A log that is as long as a page can hold is cut at the side that is farther from the reader.
    assert!(found || !can_be_had || timeline.entries().count() == MAX_ENTRIES, "{seq} should be here");
    if found {
        let place = Place { era: timeline.era(), seq };
        assert!(timeline.shown().any(|(_, entry)| entry.place() == Some(place)));
        assert_eq!(timeline.focus(), Some(place));
        assert!(!timeline.is_following());
    }
}

proptest! {
    #[test]
    fn whatever_happens_every_position_is_here_once_and_in_order(
        first in 0_u64..200,
        below in prop_oneof![Just(0), 1_u64..2_000],
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let page = page(first + 1..=first + 50, first + 50 + below);
        let mut timeline = Timeline::around(&page, Seq(first + 25)).expect("it is in the page");
        for step in steps {
            take(&mut timeline, step);
            check(&timeline);
        }
    }
}
