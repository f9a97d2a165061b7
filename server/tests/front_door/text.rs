//! Text arrives byte for byte as it was typed.

use crate::support::{TestServer, in_url, room};
use app::protocol::Event;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::json;

const TEXTS: [&str; 18] = [
    "The quick brown fox",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
    "Съешь ещё этих мягких французских булок",
    "דג סקרן שט בים מאוכזב",
    "نص حكيم له سر قاطع وذو شأن عظيم",
    "ऋषियों को सताने वाले दुष्ट राक्षसों",
    "นายสังฆภัณฑ์ เฮงพิทักษ์ฝั่ง",
    "키스의 고유조건은 입술끼리",
    "いろはにほへと ちりぬるを",
    "視野無限廣,窗外有藍天",
    "ዳዊት ዘመን ኢትዮጵያ",
    // A family, a flag, a skin tone: each one sign for the reader, many scalar values for us.
    "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 🧑🏽‍🚀 ❤️",
    // Not composed, and not to be composed by us.
    "e\u{301} a\u{308}\u{323} Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢",
    // White space at the ends and inside is the author's.
    "  \tindented\n\n    code  \r\n",
    "\u{202e}turned\u{202c} \u{2066}isolated\u{2069} zero\u{200b}width",
    "𝒜𝓈𝓉𝓇𝒶𝓁 \u{10FFFF} \u{FFFD}",
    r#""quotes" \backslash\ </script><!-- &amp; {"Type":"Chat"}"#,
    "nul\u{0}bell\u{7}escape\u{1b}[31m",
];

#[tokio::test]
async fn ten_scripts_emoji_and_combining_marks_arrive_byte_for_byte() {
    let server = TestServer::start().await;
    let (mut author, mut reader) = (server.enter("x").await, server.enter("x").await);
    for text in TEXTS {
        let message = BASE64.encode(text);
        author.send_raw(&json!({ "Message": message }).to_string()).await;
        assert_eq!(reader.chat().await.text.as_str().as_bytes(), text.as_bytes());
    }
    let page = server.history("x", "limit=200").await;
    let kept: Vec<_> = page.events.iter().map(|Event::Chat(chat)| chat.text.as_str()).collect();
    assert_eq!(kept, TEXTS);
}

#[tokio::test]
async fn latin1_is_read_as_a_browsers_btoa_writes_it() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    let upper: Vec<u8> = (0xa0..=0xff).collect();
    for (latin1, text) in [
        (&b"caf\xe9"[..], "café".to_owned()),
        (b"\xff", "ÿ".to_owned()),
        (b"Stra\xdfe \xfcber \xa3", "Straße über £".to_owned()),
        (&upper, upper.iter().map(|byte| char::from(*byte)).collect()),
    ] {
        client.send_raw(&json!({ "Message": BASE64.encode(latin1) }).to_string()).await;
        let chat: serde_json::Value = loop {
            let frame = client.next_raw().await;
            if frame.contains(r#""Type":"Chat""#) {
                break serde_json::from_str(&frame).expect("a frame is JSON");
            }
        };
        assert_eq!(chat["Message"], BASE64.encode(&text), "it leaves the server as UTF-8");
    }
}

#[tokio::test]
async fn padding_is_accepted_and_not_required() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    for (message, text) in [("aGVsbG8=", "hello"), ("aGVsbG8", "hello"), ("aGk", "hi"), ("aGkh", "hi!"), ("YQ", "a")] {
        client.send_raw(&json!({ "Message": message }).to_string()).await;
        assert_eq!(client.chat().await.text.as_str(), text, "{message}");
    }
}

#[tokio::test]
async fn room_names_and_nicknames_are_in_any_script_too() {
    let server = TestServer::start().await;
    for (name, nick) in [("кафе", "Ада"), ("房间", "小明"), ("café ☕", "👩‍🚀 ada"), ("a/b?c&d=e#f%20", "a b")]
    {
        let query = format!("room={}&name={}", in_url(name), in_url(nick));
        let mut client = server.connect(&query).await;
        let status = client.status().await;
        assert_eq!((status.room, status.name.as_str()), (room(name), nick));
        let id = client.say("hello").await;
        assert_eq!(client.next_chat_is(id).await.author.as_str(), nick);
        let page = server.history(&in_url(name), "").await;
        assert_eq!((page.room, page.events.len()), (room(name), 1));
    }
}
