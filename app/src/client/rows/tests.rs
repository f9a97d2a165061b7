use super::*;
use crate::{
    client::{
        calendar::Utc,
        first_page::{RoomPage, Theme},
        session::Session,
    },
    protocol::{Chat, Epoch, Event, Page, RoomName, Seq, SocketId, UserList},
};

const NOON: u64 = 20_779 * 86_400_000 + 12 * 3_600_000;
const MINUTE: u64 = 60_000;

fn nick(name: &str) -> NickName {
    NickName::parse(name).expect("a name")
}

fn chat(seq: u64, author: &str, sent: u64, kind: Kind) -> Event {
    Event::Chat(Chat {
        room: RoomName::default(),
        socket: SocketId("s".into()),
        author: nick(author),
        text: Text::parse("hello").expect("a text"),
        sent: Timestamp(sent),
        seq: Seq(seq),
        id: MessageId::new(seq, 0),
        kind,
    })
}

fn session(events: Vec<Event>) -> Session {
    let room = RoomName::default();
    let head = events.last().map_or(Seq::ZERO, Event::seq);
    let page = Page { room: room.clone(), epoch: Epoch("e".into()), head, events };
    let users = UserList { room, users: Vec::new(), count: None };
    Session::new(RoomPage { page, focus: None, users, me: Some(nick("ada")), theme: Theme::Auto, build: String::new() })
}

fn shown(session: &Session) -> Vec<Row> {
    rows(session.room(), session.name(), &Utc).into_iter().map(|(_, row)| row).collect()
}

fn continuations(events: Vec<Event>) -> Vec<bool> {
    let continues = |row| match row {
        Row::Message(message) => Some(message.continues),
        _ => None,
    };
    shown(&session(events)).into_iter().filter_map(continues).collect()
}

#[test]
fn an_empty_room_says_so() {
    assert_eq!(shown(&session(Vec::new())), [Row::Top(TopRow::Empty)]);
}

#[test]
fn messages_of_one_author_within_five_minutes_belong_together() {
    let at = |seq, author, minutes, seconds| chat(seq, author, NOON + minutes * MINUTE + seconds, Kind::Speech);
    assert_eq!(continuations(vec![at(1, "ada", 0, 0), at(2, "ada", 5, 0)]), [false, true]);
    assert_eq!(continuations(vec![at(1, "ada", 0, 0), at(2, "ada", 5, 1)]), [false, false]);
    assert_eq!(continuations(vec![at(1, "ada", 0, 0), at(2, "bo", 1, 0), at(3, "ada", 2, 0)]), [false; 3]);
}

#[test]
fn what_somebody_does_stands_alone() {
    let events = vec![
        chat(1, "ada", NOON, Kind::Speech),
        chat(2, "ada", NOON, Kind::Action),
        chat(3, "ada", NOON, Kind::Speech),
    ];
    assert_eq!(continuations(events), [false; 3]);
}

#[test]
fn a_day_has_a_heading_and_begins_a_group() {
    let midnight = NOON + 12 * 60 * MINUTE;
    let events = vec![chat(1, "ada", midnight - 1, Kind::Speech), chat(2, "ada", midnight, Kind::Speech)];
    let rows = shown(&session(events.clone()));
    assert_eq!(rows[0], Row::Top(TopRow::Beginning));
    assert_eq!(rows[1], Row::Day(20_779));
    assert_eq!(rows[3], Row::Day(20_780));
    assert_eq!(continuations(events), [false, false]);
}

#[test]
fn a_note_does_not_begin_a_day() {
    let mut session = session(vec![chat(1, "ada", NOON, Kind::Speech)]);
    session.note("only you see this");
    session.post(Text::parse("hello").expect("a text"), Kind::Speech, MessageId::new(2, 0), NOON).expect("room");
    let days = shown(&session).into_iter().filter(|row| matches!(row, Row::Day(_))).count();
    assert_eq!(days, 1);
}

#[test]
fn keys_are_unique_even_when_a_clock_goes_back() {
    let day = 24 * 60 * MINUTE;
    let days = [0, 1, 0, 1, 0];
    let events = days.iter().zip(1..).map(|(days, seq)| chat(seq, "ada", NOON + days * day, Kind::Speech)).collect();
    let session = session(events);
    let rows = rows(session.room(), session.name(), &Utc);
    let keys: std::collections::HashSet<_> = rows.iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), rows.len());
}

#[test]
fn a_draft_has_the_key_of_the_event_that_it_becomes() {
    let mut session = session(vec![chat(1, "ada", NOON, Kind::Speech)]);
    let id = MessageId::new(2, 0);
    session.post(Text::parse("hello").expect("a text"), Kind::Speech, id, NOON + 1).expect("there is room");
    let last = |session: &Session| rows(session.room(), session.name(), &Utc).pop().expect("a row");
    let (key, row) = last(&session);
    assert!(matches!(row, Row::Message(MessageRow { state: MessageState::Sending, continues: true, own: true, .. })));
    let Event::Chat(event) = chat(2, "ada", NOON + 2, Kind::Speech);
    session.receive(crate::protocol::ServerFrame::Chat(event), NOON + 2);
    assert_eq!(last(&session).0, key);
    assert!(matches!(last(&session).1, Row::Message(MessageRow { state: MessageState::Sent, .. })));
}

#[test]
fn older_messages_do_not_take_away_the_header_of_the_message_they_join() {
    let first: Vec<Event> = (51..=100).map(|seq| chat(seq, "ada", NOON + seq, Kind::Speech)).collect();
    let mut session = session(first);
    assert!(session.reveal_older());
    let request = session.next_request(0).expect("older messages");
    let events = (1..=50).map(|seq| chat(seq, "ada", NOON + seq, Kind::Speech)).collect();
    let page = Page { room: RoomName::default(), epoch: Epoch("e".into()), head: Seq(100), events };
    session.loaded(&request, Some(&page), 0);
    let rows = shown(&session);
    assert_eq!(rows.len(), 102);
    let joined = rows.iter().filter(|row| matches!(row, Row::Message(message) if !message.continues)).count();
    assert_eq!(joined, 2, "the first message of each page shows its author");
}

#[test]
fn names_have_one_of_twelve_colours_each() {
    let hues: std::collections::HashSet<u32> = (0..500).map(|number| hue(&nick(&number.to_string()))).collect();
    assert_eq!(hues.len(), 12);
    assert_eq!(hue(&nick("ada")), hue(&nick("ada")));
}

#[test]
fn what_is_said_before_the_first_page_is_here_is_seen_at_once() {
    let mut session = session(vec![]);
    session.switch(RoomName::parse("new").expect("a good name"));
    let text = crate::protocol::Text::parse("hello").expect("a text");
    session.post(text, Kind::Speech, MessageId::new(1, 1), 0).expect("there is room");
    assert!(session.room().timeline().is_none());
    assert!(matches!(shown(&session).last(), Some(Row::Message(_))));
}
