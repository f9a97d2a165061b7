use super::*;
use proptest::prelude::*;
use serde_json::Value;

impl Json for Value {
    fn get(&self, name: &str) -> Option<Value> {
        self.as_object()?.get(name).filter(|value| !value.is_null()).cloned()
    }

    fn text(&self) -> Option<String> {
        self.as_str().map(str::to_owned)
    }

    fn number(&self) -> Option<u64> {
        self.as_u64()
    }

    fn truth(&self) -> Option<bool> {
        self.as_bool()
    }

    fn items(&self) -> Option<Vec<Value>> {
        self.as_array().cloned()
    }
}

fn name() -> impl Strategy<Value = String> {
    r#"[a-zA-Z0-9"\\éß房 -]{0,9}x"#
}

prop_compose! {
    fn a_room()(name in name()) -> RoomName { RoomName::parse(&name).expect("a room name") }
}

prop_compose! {
    fn a_nick()(name in name()) -> NickName { NickName::parse(&name).expect("a nickname") }
}

prop_compose! {
    fn an_id()(millis in 0_u64..1 << 40, random: u64) -> MessageId { MessageId::new(millis, random.into()) }
}

prop_compose! {
    fn a_moment()(millis in 0_u64..200_000_000_000_000) -> Timestamp { Timestamp(millis) }
}

prop_compose! {
    fn a_seq()(seq in 0_u64..1 << 53) -> Seq { Seq(seq) }
}

prop_compose! {
    fn a_text()(text in "[^\0]{0,40}x") -> Text { Text::parse(&text).expect("a text") }
}

fn a_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Speech), Just(Kind::Action)]
}

prop_compose! {
    fn a_chat()(
        room in a_room(), socket in name(), author in a_nick(), text in a_text(), sent in a_moment(), seq in a_seq(),
        id in an_id(), kind in a_kind(),
    ) -> Chat {
        Chat { room, socket: SocketId(socket.into()), author, text, sent, seq, id, kind }
    }
}

prop_compose! {
    fn a_user_list()(
        room in a_room(), names in proptest::collection::vec(a_nick(), 0..4), count in proptest::option::of(0_usize..9),
    ) -> UserList {
        UserList { room, users: names.into_iter().map(|name| User { name }).collect(), count }
    }
}

prop_compose! {
    fn a_status()(
        socket in name(), name in a_nick(), named: bool, room in a_room(), head in a_seq(), epoch in self::name(),
        numbers: [u32; 3], time in a_moment(), build in ".*",
    ) -> Status {
        let limits = Limits {
            text_bytes: 8_000,
            frame_bytes: numbers[0] as usize,
            messages_per_second: numbers[1],
            burst: numbers[2],
        };
        let (socket, epoch) = (SocketId(socket.into()), Epoch(epoch.into()));
        Status { socket, name, named, room, head, epoch, protocol: 1, limits, time, build }
    }
}

fn a_code() -> impl Strategy<Value = ErrorCode> {
    let codes = [
        ErrorCode::BadFrame,
        ErrorCode::BadText,
        ErrorCode::TooLong,
        ErrorCode::TooFast,
        ErrorCode::Busy,
        ErrorCode::NameTaken,
        ErrorCode::BadName,
        ErrorCode::NotAllowed,
        ErrorCode::NoSuchRoom,
        ErrorCode::TooManyRooms,
        ErrorCode::RoomFull,
    ];
    proptest::sample::select(codes.to_vec())
}

prop_compose! {
    fn an_error()(
        code in a_code(), text in ".*", id in proptest::option::of(an_id()), room in proptest::option::of(a_room()),
        retry_after_ms in proptest::option::of(0_u64..99), suggestion in proptest::option::of(a_nick()),
    ) -> ErrorFrame {
        ErrorFrame { code, text, id, room, retry_after_ms, suggestion }
    }
}

prop_compose! {
    fn a_page()(
        room in a_room(), epoch in name(), head in a_seq(), chats in proptest::collection::vec(a_chat(), 0..4),
    ) -> Page {
        Page { room, epoch: Epoch(epoch.into()), head, events: chats.into_iter().map(Event::Chat).collect() }
    }
}

fn a_server_frame() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![
        a_status().prop_map(ServerFrame::Status),
        a_chat().prop_map(ServerFrame::Chat),
        a_user_list().prop_map(ServerFrame::UserList),
        (a_room(), an_id(), a_seq(), a_moment()).prop_map(|(room, id, seq, sent)| ServerFrame::Ack(Ack {
            room,
            id,
            seq,
            sent
        })),
        an_error().prop_map(|error| ServerFrame::Error(Box::new(error))),
        (a_room(), a_seq(), a_seq(), a_seq()).prop_map(|(room, from, to, head)| ServerFrame::Gap(Gap {
            room,
            from,
            to,
            head
        })),
        a_moment().prop_map(|time| ServerFrame::Pong(Pong { time })),
    ]
}

fn a_client_frame() -> impl Strategy<Value = ClientFrame> {
    let option = proptest::option::of::<BoxedStrategy<RoomName>>;
    let epoch = || proptest::option::of(name().prop_map(|epoch| Epoch(epoch.into())));
    prop_oneof![
        (proptest::option::of(name()), a_text(), option(a_room().boxed()), proptest::option::of(an_id()), a_kind())
            .prop_map(|(author, text, room, id, kind)| ClientFrame::Chat { author, text, room, id, kind }),
        a_nick().prop_map(|name| ClientFrame::Nick { name }),
        (a_room(), proptest::option::of(a_seq()), epoch()).prop_map(|(room, after, epoch)| ClientFrame::Join {
            room,
            after,
            epoch
        }),
        option(a_room().boxed()).prop_map(|room| ClientFrame::Leave { room }),
        Just(ClientFrame::Ping),
    ]
}

proptest! {
    #[test]
    fn what_the_server_writes_is_read(written in a_server_frame()) {
        let json = serde_json::to_value(&written).expect("a frame is always JSON");
        prop_assert_eq!(frame(&json), Some(written));
    }

    #[test]
    fn what_the_server_puts_into_the_document_is_read(
        page in a_page(), focus in proptest::option::of(a_seq()), users in a_user_list(),
        me in proptest::option::of(a_nick()),
        theme in proptest::sample::select(Theme::ALL.to_vec()), build in ".*",
    ) {
        let written = RoomPage { page, focus, users, me, theme, build };
        let json = serde_json::to_value(&written).expect("a page is always JSON");
        prop_assert_eq!(room_page(&json), Some(written));
    }

    #[test]
    fn what_is_written_the_server_reads(frame in a_client_frame()) {
        prop_assert_eq!(ClientFrame::parse(&write_frame(&frame)), Ok(frame));
    }
}

#[test]
fn what_is_of_a_later_version_is_let_pass() {
    let json: Value = serde_json::from_str(r#"{"Type":"Fanfare","Room":5}"#).expect("JSON");
    assert_eq!(frame(&json), Some(ServerFrame::Unknown));
    assert_eq!(frame(&Value::Null), None);
}
