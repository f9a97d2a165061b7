//! Bad input is refused in words and the connection lives on; misuse ends it, with the code that says why.

use crate::support::{
    BINARY, CONTINUATION, FIN, PING, TEXT, TestClient, TestServer, fresh_id, in_url, masked, room, say, unhurried,
};
use app::protocol::{ClientFrame, ErrorCode, ErrorFrame, MAX_FRAME_BYTES, NickName, RoomName, ServerFrame};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

const HELLO: &str = r#"{"Message":"aGVsbG8="}"#;

async fn refusal(client: &mut TestClient, json: &str) -> ErrorFrame {
    client.send_raw(json).await;
    client.error().await
}

/// A good message in a frame of exactly this many bytes.
fn frame_of(bytes: usize) -> String {
    let empty = r#"{"Message":"aGVsbG8=","Padding":""}"#.len();
    format!(r#"{{"Message":"aGVsbG8=","Padding":"{}"}}"#, "x".repeat(bytes - empty))
}

fn message(text: &str) -> Value {
    json!({ "Message": BASE64.encode(text), "Id": fresh_id().as_str() })
}

// Refused in words

#[tokio::test]
async fn every_bad_frame_is_refused_in_words_and_the_connection_lives_on() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    let long_room = format!(r#"{{"Type":"Join","Room":"{}"}}"#, "r".repeat(65));
    let long_epoch = format!(r#"{{"Type":"Join","Room":"a","Epoch":"{}"}}"#, "e".repeat(65));
    for (json, code) in [
        ("", ErrorCode::BadFrame),
        ("hello", ErrorCode::BadFrame),
        (r#"{"Message":"aGVsbG8=""#, ErrorCode::BadFrame),
        (r#"{"Message":"aGVsbG8="} x"#, ErrorCode::BadFrame),
        ("[]", ErrorCode::BadFrame),
        ("null", ErrorCode::BadFrame),
        ("{}", ErrorCode::BadFrame),
        (r#"{"Author":"ada"}"#, ErrorCode::BadFrame),
        (r#"{"Type":"Chat"}"#, ErrorCode::BadFrame),
        (r#"{"Type":"Shout","Message":"aGVsbG8="}"#, ErrorCode::BadFrame),
        (r#"{"Type":7,"Message":"aGVsbG8="}"#, ErrorCode::BadFrame),
        (r#"{"Message":5}"#, ErrorCode::BadFrame),
        (r#"{"Message":["aGVsbG8="]}"#, ErrorCode::BadFrame),
        (r#"{"Message":"aGVsbG8=","Author":5}"#, ErrorCode::BadFrame),
        (r#"{"Message":"aGVsbG8=","Room":5}"#, ErrorCode::BadFrame),
        (r#"{"Message":"aGVsbG8=","Id":5}"#, ErrorCode::BadFrame),
        (r#"{"Message":"aGVsbG8=","Id":"short"}"#, ErrorCode::BadFrame),
        (r#"{"Message":"aGVsbG8=","Id":"01JDABCDEFGHJKMNPQRSTVWX-Z"}"#, ErrorCode::BadFrame),
        (r#"{"Message":"aGVsbG8=","Kind":"Whisper"}"#, ErrorCode::BadFrame),
        (r#"{"Message":"aGVsbG8=","Message":"aGVsbG8="}"#, ErrorCode::BadFrame),
        (r#"{"Message":"?"}"#, ErrorCode::BadText),
        (r#"{"Message":"aGVsbG8=="}"#, ErrorCode::BadText),
        (r#"{"Message":"aGVs bG8="}"#, ErrorCode::BadText),
        (r#"{"Message":"_-__"}"#, ErrorCode::BadText),
        (r#"{"Message":""}"#, ErrorCode::BadText),
        (r#"{"Message":"ICAK"}"#, ErrorCode::BadText),
        (r#"{"Message":"4oCL"}"#, ErrorCode::BadText),
        (r#"{"Message":"aGVsbG8=","Author":"/ada"}"#, ErrorCode::BadName),
        (r#"{"Message":"aGVsbG8=","Room":""}"#, ErrorCode::BadName),
        (r#"{"Message":"aGVsbG8=","Room":"elsewhere"}"#, ErrorCode::NoSuchRoom),
        (r#"{"Type":"Nick"}"#, ErrorCode::BadFrame),
        (r#"{"Type":"Nick","Name":null}"#, ErrorCode::BadFrame),
        (r#"{"Type":"Nick","Name":"  "}"#, ErrorCode::BadName),
        (r#"{"Type":"Nick","Name":"/me"}"#, ErrorCode::BadName),
        (r#"{"Type":"Nick","Name":"a\nb"}"#, ErrorCode::BadName),
        (r#"{"Type":"Nick","Name":"a\u202eb"}"#, ErrorCode::BadName),
        (r#"{"Type":"Join"}"#, ErrorCode::BadFrame),
        (r#"{"Type":"Join","Room":"a","After":-1}"#, ErrorCode::BadFrame),
        (r#"{"Type":"Join","Room":"a","After":1.5}"#, ErrorCode::BadFrame),
        (r#"{"Type":"Join","Room":"a","After":"1"}"#, ErrorCode::BadFrame),
        (&long_epoch, ErrorCode::BadFrame),
        (&long_room, ErrorCode::BadName),
        (r#"{"Type":"Leave","Room":"elsewhere"}"#, ErrorCode::NoSuchRoom),
    ] {
        let error = refusal(&mut client, json).await;
        assert_eq!(error.code, code, "{json}: {}", error.text);
        assert!(error.text.len() > 10 && error.text.ends_with('.'), "{json}: {:?} is no sentence", error.text);
        client.is_alive().await;
    }
}

#[tokio::test]
async fn an_error_names_the_message_that_it_is_about() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    for (field, value) in [
        ("Message", json!("?")),
        ("Message", json!("")),
        ("Message", json!("YWFh".repeat(2_667))),
        ("Message", Value::Null),
        ("Kind", json!("Whisper")),
        ("Author", json!("a\nb")),
        ("Room", json!("elsewhere")),
        ("Room", json!("/")),
        ("Type", json!("Shout")),
    ] {
        let id = fresh_id();
        let mut frame = json!({ "Type": "Chat", "Message": "aGVsbG8=", "Id": id.as_str() });
        frame[field] = value;
        assert_eq!(refusal(&mut client, &frame.to_string()).await.id, Some(id), "{frame}");
        client.is_alive().await;
    }
}

#[tokio::test]
async fn nothing_that_was_refused_is_shown() {
    let server = TestServer::start().await;
    let (mut client, mut reader) = (server.enter("x").await, server.enter("x").await);
    for bad in [r#"{"Message":"?"}"#, r#"{"Message":"aGVsbG8=","Room":"y"}"#, r#"{"Message":"aGk=","Kind":"Whisper"}"#]
    {
        refusal(&mut client, bad).await;
    }
    let id = client.say("good").await;
    assert_eq!(reader.next_chat_is(id).await.seq.0, 1);
}

#[tokio::test]
async fn deep_nesting_is_refused_or_ignored_and_costs_nothing() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(refusal(&mut client, &format!(r#"{{"Message":{deep}}}"#)).await.code, ErrorCode::BadFrame);
    client.send_raw(&format!(r#"{{"Message":"aGVsbG8=","X":{deep}}}"#)).await;
    assert_eq!(client.chat().await.text.as_str(), "hello");
}

// At the limit and one past it

#[tokio::test]
async fn a_text_has_at_most_8000_bytes() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    for longest in ["a".repeat(8_000), "é".repeat(4_000), "👋".repeat(2_000)] {
        client.send_raw(&message(&longest).to_string()).await;
        assert_eq!(client.chat().await.text.as_str(), longest);
    }
    // As Latin-1 each of these bytes becomes two of UTF-8, and only those count.
    client.send_raw(&json!({ "Message": BASE64.encode(vec![0xe9; 4_000]) }).to_string()).await;
    assert_eq!(client.chat().await.text.as_str(), "é".repeat(4_000));
    assert_eq!(
        refusal(&mut client, &json!({ "Message": BASE64.encode(vec![0xe9; 4_001]) }).to_string()).await.code,
        ErrorCode::TooLong
    );
    for too_long in ["a".repeat(8_001), format!("a{}", "é".repeat(4_000)), "👋".repeat(2_001)] {
        let error = refusal(&mut client, &message(&too_long).to_string()).await;
        assert_eq!(error.code, ErrorCode::TooLong);
        assert!(error.id.is_some() && error.text.contains("8000"), "{error:?}");
    }
    client.is_alive().await;
}

#[tokio::test]
async fn a_frame_has_at_most_64_kib() {
    let server = TestServer::start().await;
    let mut socket = server.raw("room=x").await;
    assert_eq!(frame_of(MAX_FRAME_BYTES).len(), 65_536);
    socket.write(&masked(FIN | TEXT, frame_of(65_536).as_bytes())).await;
    socket.read_text_with("aGVsbG8=").await;
    socket.write(&masked(FIN | TEXT, frame_of(65_537).as_bytes())).await;
    assert_eq!(socket.close_code().await, Some(1009));
}

#[tokio::test]
async fn a_message_in_fragments_has_at_most_64_kib_too() {
    let server = TestServer::start().await;
    let mut socket = server.raw("room=x").await;
    let longest = frame_of(65_536);
    let (first, rest) = longest.as_bytes().split_at(40_000);
    socket.write(&masked(TEXT, first)).await;
    // A control frame may come between the fragments.
    socket.write(&masked(FIN | PING, b"between")).await;
    socket.write(&masked(CONTINUATION, rest)).await;
    socket.write(&masked(FIN | CONTINUATION, b"")).await;
    socket.read_text_with("aGVsbG8=").await;

    let one_more = frame_of(65_537);
    let (first, rest) = one_more.as_bytes().split_at(40_000);
    socket.write(&masked(TEXT, first)).await;
    socket.write(&masked(FIN | CONTINUATION, rest)).await;
    assert_eq!(socket.close_code().await, Some(1009));
}

#[tokio::test]
async fn an_over_long_frame_is_not_waited_for() {
    let server = TestServer::start().await;
    let mut socket = server.raw("room=x").await;
    // Only the head of a frame that announces a terabyte.
    let head = [&[FIN | TEXT, 0x80 | 127][..], &(1_u64 << 40).to_be_bytes(), &[1, 2, 3, 4]].concat();
    socket.write(&head).await;
    assert_eq!(socket.close_code().await, Some(1009));
}

#[tokio::test]
async fn a_room_name_has_at_most_64_characters() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    let longest = "房".repeat(64);
    assert_eq!(server.connect(&format!("room={}", in_url(&longest))).await.status().await.room.as_str(), longest);
    client.join(&room(&longest), None, None).await;
    assert_eq!(client.status().await.room.as_str(), longest);

    let too_long = "房".repeat(65);
    let answer = server.knock(&format!("room={}", in_url(&too_long)), &[]).await;
    assert_eq!((answer.status, answer.header("content-type")), (400, "application/problem+json"));
    assert!(answer.text().contains("64 characters"), "{}", answer.text());
    let error = refusal(&mut client, &json!({ "Type": "Join", "Room": too_long }).to_string()).await;
    assert_eq!(error.code, ErrorCode::BadName);
    client.is_alive_in("x").await;
}

#[tokio::test]
async fn a_nickname_has_at_most_32_characters() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    let longest = "é".repeat(NickName::MAX_CHARS);
    client.nick(&longest).await;
    assert_eq!(client.status().await.name.as_str(), longest);
    let error = refusal(&mut client, &json!({ "Type": "Nick", "Name": "é".repeat(33) }).to_string()).await;
    assert_eq!(error.code, ErrorCode::BadName);
    client.is_alive().await;

    let mut other = server.enter("x").await;
    let error = refusal(&mut other, &json!({ "Author": "b".repeat(33), "Message": "aGVsbG8=" }).to_string()).await;
    assert_eq!(error.code, ErrorCode::BadName);
}

#[tokio::test]
async fn a_socket_is_in_at_most_100_rooms() {
    let server = TestServer::start().await;
    let mut client = server.enter("r0").await;
    for number in 1..100 {
        client.join(&room(&format!("r{number}")), None, None).await;
        assert_eq!(client.status().await.room, room(&format!("r{number}")));
    }
    client.join(&room("r100"), None, None).await;
    let error = client.error().await;
    assert_eq!((error.code, error.room), (ErrorCode::TooManyRooms, Some(room("r100"))));

    // A room that the socket is in already is not one more; and leaving one makes place.
    client.join(&room("r50"), None, None).await;
    assert_eq!(client.status().await.room, room("r50"));
    client.send(&ClientFrame::Leave { room: Some(room("r50")) }).await;
    client.join(&room("r100"), None, None).await;
    assert_eq!(client.status().await.room, room("r100"));
}

#[tokio::test]
async fn a_position_in_the_address_is_a_whole_number() {
    let server = TestServer::start().await;
    for bad in ["x", "-1", "1.5", "1x", "18446744073709551616", "%20"] {
        let answer = server.knock(&format!("room=x&after={bad}"), &[]).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, "application/problem+json"), "{bad}");
        assert!(answer.text().contains("after"), "{}", answer.text());
    }
    for good in ["", "0", "18446744073709551615"] {
        let mut client = server.connect(&format!("room=x&after={good}")).await;
        assert!(matches!(client.next().await, ServerFrame::Status(_)), "{good:?}");
    }
}

#[tokio::test]
async fn a_frame_names_its_room_where_the_socket_is_in_several() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    client.join(&room("y"), None, None).await;
    client.status().await;
    let id = fresh_id();
    client.send(&say(id, "where?")).await;
    let error = client.error().await;
    assert_eq!((error.code, error.id), (ErrorCode::NoSuchRoom, Some(id)));
    client.is_alive_in("y").await;
    client.is_alive_in("x").await;

    for name in ["x", "y"] {
        client.send(&ClientFrame::Leave { room: Some(room(name)) }).await;
    }
    assert_eq!(refusal(&mut client, HELLO).await.code, ErrorCode::NoSuchRoom);
    client.join(&RoomName::default(), None, None).await;
    client.status().await;
    client.is_alive().await;
}

// Misuse

#[tokio::test]
async fn nine_bad_frames_are_forgiven_by_a_good_one() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    for _ in 0..3 {
        for _ in 0..9 {
            refusal(&mut client, "?").await;
        }
        client.is_alive().await;
    }
}

#[tokio::test]
async fn ten_bad_frames_in_a_row_end_the_connection() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    for _ in 0..10 {
        // The tenth is answered, too: its author is to read what was wrong.
        refusal(&mut client, "?").await;
    }
    assert_eq!(client.close_code().await, 1008);
}

#[tokio::test]
async fn what_came_before_the_misuse_is_kept_and_acknowledged() {
    let server = TestServer::start_with(&unhurried()).await;
    let mut client = server.enter("x").await;
    let id = client.say("good").await;
    client.send_binary(b"bad").await;
    assert_eq!(client.ack(id).await.seq.0, 1);
    assert_eq!(client.close_code().await, 1003);
}

#[tokio::test]
async fn a_binary_frame_ends_the_connection() {
    let server = TestServer::start().await;
    for bytes in [&b""[..], b"{\"Message\":\"aGVsbG8=\"}"] {
        let mut socket = server.raw("room=x").await;
        socket.write(&masked(FIN | BINARY, bytes)).await;
        assert_eq!(socket.close_code().await, Some(1003));
    }
}

#[tokio::test]
async fn a_text_frame_that_is_not_utf8_ends_the_connection() {
    let server = TestServer::start().await;
    for bytes in [&b"\xff"[..], b"{\"Message\":\"\xc3\x28\"}", b"\xed\xa0\x80", b"\xf0\x9f\x91"] {
        let mut socket = server.raw("room=x").await;
        socket.write(&masked(FIN | TEXT, bytes)).await;
        assert_eq!(socket.close_code().await, Some(1007), "{bytes:x?}");
    }
    // A sign that is cut in two by fragments is whole again when they are joined.
    let mut socket = server.raw("room=x").await;
    let frame = r#"{"Message":"aGVsbG8=","X":"é"}"#.as_bytes();
    let (first, rest) = frame.split_at(frame.len() - 3);
    socket.write(&masked(TEXT, first)).await;
    socket.write(&masked(FIN | CONTINUATION, rest)).await;
    socket.read_text_with("aGVsbG8=").await;
}

#[tokio::test]
async fn broken_framing_ends_the_connection() {
    let server = TestServer::start().await;
    let unmasked = [&[FIN | TEXT, HELLO.len() as u8][..], HELLO.as_bytes()].concat();
    for (what, bytes) in [
        ("unmasked", unmasked),
        ("a reserved bit", masked(FIN | 0x40 | TEXT, HELLO.as_bytes())),
        ("a reserved opcode", masked(FIN | 0x3, HELLO.as_bytes())),
        ("a continuation of nothing", masked(FIN | CONTINUATION, HELLO.as_bytes())),
        ("a message inside another", [masked(TEXT, b"{"), masked(FIN | TEXT, b"}")].concat()),
        ("a ping in fragments", masked(PING, b"x")),
        ("a ping that is too long", masked(FIN | PING, &[b'x'; 126])),
    ] {
        let mut socket = server.raw("room=x").await;
        socket.write(&bytes).await;
        assert_eq!(socket.close_code().await, Some(1002), "{what}");
    }
}

#[tokio::test]
async fn one_sockets_misuse_does_not_touch_the_others() {
    let server = TestServer::start().await;
    let mut bystander = server.enter("x").await;
    let mut socket = server.raw("room=x").await;
    socket.write(&masked(FIN | TEXT, b"\xff")).await;
    assert_eq!(socket.close_code().await, Some(1007));
    bystander.is_alive().await;
}
