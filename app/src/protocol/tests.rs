//! Frames that clients really send, and frames that they should not.

use super::*;
use proptest::prelude::*;

fn error_of(json: &str) -> ErrorCode {
    ClientFrame::parse(json).expect_err(json).code
}

#[test]
fn the_tutorials_frame_is_a_chat_message() {
    let frame = ClientFrame::parse(r#"{"Author":"ada","Message":"aGVsbG8="}"#).expect("the tutorial's frame");
    let ClientFrame::Chat { author, text, room, id, kind } = frame else { panic!("not a chat message") };
    assert_eq!((author.as_deref(), text.as_str()), (Some("ada"), "hello"));
    assert_eq!((room, id, kind), (None, None, Kind::Speech));
}

#[test]
fn unknown_fields_are_ignored() {
    assert!(ClientFrame::parse(r#"{"Message":"aGVsbG8=","Colour":{"a":[1,2,{"b":null}]}}"#).is_ok());
}

#[test]
fn what_is_wrong_has_a_code() {
    for bad in [
        "",
        "{",
        "[]",
        "null",
        "1",
        r#""x""#,
        "{}",
        r#"{"Type":"Chat"}"#,
        r#"{"Message":5}"#,
        r#"{"Type":7,"Message":"aGVsbG8="}"#,
    ] {
        assert_eq!(error_of(bad), ErrorCode::BadFrame, "{bad}");
    }
    for bad in [
        r#"{"Type":"Shout"}"#,
        r#"{"Type":"Nick"}"#,
        r#"{"Type":"Join"}"#,
        r#"{"Type":"Join","Room":"a","After":-1}"#,
        r#"{"Id":"short","Message":"aGVsbG8="}"#,
    ] {
        assert_eq!(error_of(bad), ErrorCode::BadFrame, "{bad}");
    }
    assert_eq!(error_of(r#"{"Message":"???"}"#), ErrorCode::BadText);
    assert_eq!(error_of(r#"{"Message":""}"#), ErrorCode::BadText);
    assert_eq!(error_of(r#"{"Type":"Nick","Name":"a\u202eb"}"#), ErrorCode::BadName);
    assert_eq!(error_of(&format!(r#"{{"Message":"{}"}}"#, "YWFh".repeat(2_667))), ErrorCode::TooLong);
}

#[test]
fn a_refusal_names_the_message_it_is_about() {
    let id = MessageId::new(1, 2);
    let error = ClientFrame::parse(&format!(r#"{{"Id":"{id}","Message":"!"}}"#)).expect_err("not base64");
    assert_eq!(error.id, Some(id));
}

#[test]
fn deep_nesting_is_not_followed() {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let ignored = ClientFrame::parse(&format!(r#"{{"Message":"aGVsbG8=","X":{deep}}}"#));
    assert!(ignored.is_ok(), "an unknown field is skipped, however deep");
    let refused = ClientFrame::parse(&format!(r#"{{"Message":{deep}}}"#));
    assert_eq!(refused.map_err(|error| error.code), Err(ErrorCode::BadFrame));
}

#[test]
fn frames_and_codes_of_a_later_version_are_ignored() {
    let frame: ServerFrame = serde_json::from_str(r#"{"Type":"Reaction","Seq":5}"#).expect("tolerant");
    assert_eq!(frame, ServerFrame::Unknown);
    let frame: ServerFrame = serde_json::from_str(r#"{"Type":"Error","Code":"NewIdea","Text":"x"}"#).expect("tolerant");
    assert!(matches!(frame, ServerFrame::Error(error) if error.code == ErrorCode::Unknown));
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(json in ".{0,400}") {
        let _ = ClientFrame::parse(&json);
        let _ = serde_json::from_str::<ServerFrame>(&json);
    }

    #[test]
    fn what_a_client_writes_is_what_the_server_reads(words in "\\PC{1,40}", room in "[a-z]{1,10}", random: u64, action: bool) {
        let Ok(text) = Text::parse(&words) else { return Ok(()) };
        let frame = ClientFrame::Chat {
            author: None,
            text,
            room: Some(RoomName::parse(&room).expect("letters")),
            id: Some(MessageId::new(random >> 20, random.into())),
            kind: if action { Kind::Action } else { Kind::Speech },
        };
        prop_assert_eq!(ClientFrame::parse(&serde_json::to_string(&frame).expect("writes")).expect("reads"), frame);
    }
}
