//! The echo server says back what it hears, and tells who is wrong why.

use crate::echo;
use futures::{SinkExt, StreamExt};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message, Utf8Bytes,
        protocol::{
            CloseFrame,
            frame::{
                Frame,
                coding::{CloseCode, Control, Data, OpCode},
            },
        },
    },
};

const PATIENCE: Duration = Duration::from_secs(20);
const KIB: usize = 1024;
const FIN: u8 = 0x80;

/// A server of one's own, gone with its test.
struct Server {
    address: SocketAddr,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(max_bytes: usize) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        #[allow(clippy::disallowed_methods, reason = "Drop ends it")]
        let serving = tokio::spawn(echo::serve(listener, max_bytes));
        Server { address, serving }
    }

    async fn connect(&self) -> Client {
        let wire = TcpStream::connect(self.address).await.expect("a connection");
        Client(client_async("ws://echo/any/path?at=all", wire).await.expect("an upgrade").0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Client(WebSocketStream<TcpStream>);

impl Client {
    async fn send(&mut self, message: impl Into<Message>) {
        timeout(PATIENCE, self.0.send(message.into())).await.expect("in time").expect("sent");
    }

    /// A frame of the client's own making.
    async fn send_frame(&mut self, is_last: bool, opcode: OpCode, payload: &[u8]) {
        let mut frame = Frame::message(payload.to_vec(), OpCode::Data(Data::Continue), is_last);
        frame.header_mut().opcode = opcode;
        self.send(Message::Frame(frame)).await;
    }

    /// Bytes without a library around them. A server that has hung up already is no failure.
    async fn send_raw(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.0.get_mut().write_all(bytes)).await.expect("in time");
    }

    async fn hear(&mut self) -> Message {
        timeout(PATIENCE, self.0.next()).await.expect("in time").expect("an open socket").expect("a message")
    }

    async fn close_code(&mut self) -> u16 {
        match self.hear().await {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("no goodbye: {other:?}"),
        }
    }

    async fn sees_the_end(mut self) {
        let wire = self.0.get_mut();
        let _ = timeout(PATIENCE, wire.read_to_end(&mut Vec::new())).await.expect("hung up in time");
    }
}

/// A client's frame under a mask of zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        length @ 0..126 => vec![FIN | length as u8],
        length => [&[FIN | 126][..], &(length as u16).to_be_bytes()].concat(),
    };
    [&[first][..], &length, &[0; 4], payload].concat()
}

#[tokio::test]
async fn text_and_bytes_come_back_as_they_came() {
    let server = Server::start(64 * KIB).await;
    let mut client = server.connect().await;
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536] {
        let (text, bytes) = (Message::text("é".repeat(length / 2)), Message::binary(vec![0xff; length]));
        client.send(text.clone()).await;
        assert_eq!(client.hear().await, text);
        client.send(bytes.clone()).await;
        assert_eq!(client.hear().await, bytes);
    }
}

#[tokio::test]
async fn sixteen_mebibytes_come_back() {
    let server = Server::start(16 * KIB * KIB).await;
    let mut client = server.connect().await;
    let longest = Message::text("0123456789abcdef".repeat(KIB * KIB));
    client.send(longest.clone()).await;
    assert!(client.hear().await == longest);
}

#[tokio::test]
async fn fragments_come_back_as_one_and_pings_between_them_are_answered() {
    let server = Server::start(64 * KIB).await;
    let mut client = server.connect().await;
    let (one, two) = "x€y".as_bytes().split_at(2);
    client.send_frame(false, OpCode::Data(Data::Text), one).await;
    client.send_frame(true, OpCode::Control(Control::Ping), b"between").await;
    assert_eq!(client.hear().await, Message::Pong("between".into()));
    client.send_frame(true, OpCode::Control(Control::Pong), b"unasked").await;
    client.send_frame(false, OpCode::Data(Data::Continue), b"").await;
    client.send_frame(true, OpCode::Data(Data::Continue), two).await;
    assert_eq!(client.hear().await, Message::text("x€y"));
}

#[tokio::test]
async fn a_goodbye_comes_back_with_its_code_and_words() {
    let server = Server::start(64 * KIB).await;
    for code in [1000, 1001, 1011, 3000, 4999] {
        let mut client = server.connect().await;
        let goodbye = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from_static("so long") };
        client.send(Message::Close(Some(goodbye.clone()))).await;
        assert_eq!(client.hear().await, Message::Close(Some(goodbye)));
        client.sees_the_end().await;
    }
    let mut client = server.connect().await;
    client.send(Message::Close(None)).await;
    assert_eq!(client.hear().await, Message::Close(None));
    client.sees_the_end().await;
}

#[tokio::test]
async fn who_is_wrong_is_told_why() {
    let server = Server::start(64 * KIB).await;
    for (what, bytes, code) in [
        ("no mask", vec![FIN | 0x1, 0], 1002),
        ("a reserved bit", masked(FIN | 0x41, b"x"), 1002),
        ("a reserved opcode", masked(FIN | 0x3, b"x"), 1002),
        ("a ping in fragments", masked(0x9, b"x"), 1002),
        ("a ping that is too long", masked(FIN | 0x9, &[b'x'; 126]), 1002),
        ("a continuation of nothing", masked(FIN, b"x"), 1002),
        ("a code that is none", masked(FIN | 0x8, &999_u16.to_be_bytes()), 1002),
        ("half a code", masked(FIN | 0x8, &[3]), 1002),
        ("no UTF-8", masked(FIN | 0x1, b"\xff"), 1007),
        ("no UTF-8, and more would come", masked(0x1, b"\xed\xa0"), 1007),
        ("no UTF-8 in a goodbye", masked(FIN | 0x8, b"\x03\xe8\xff"), 1007),
        ("over-long, of which only the head came", [&[FIN | 0x2, 0xff][..], &65_537_u64.to_be_bytes()].concat(), 1009),
    ] {
        let mut client = server.connect().await;
        client.send_raw(&bytes).await;
        assert_eq!(client.close_code().await, code, "{what}");
        client.sees_the_end().await;
    }
}

#[tokio::test]
async fn over_long_fragments_are_refused_too() {
    let server = Server::start(100).await;
    let mut client = server.connect().await;
    client.send_raw(&[masked(0x1, &[b'x'; 60]), masked(FIN, &[b'x'; 41])].concat()).await;
    assert_eq!(client.close_code().await, 1009);
}

#[tokio::test]
async fn the_reason_is_heard_although_much_more_was_sent() {
    let server = Server::start(64 * KIB).await;
    for _ in 0..20 {
        let mut client = server.connect().await;
        let too_much = [masked(FIN | 0x1, b"\xff"), vec![b'x'; KIB * KIB]].concat();
        client.send_raw(&too_much).await;
        assert_eq!(client.close_code().await, 1007);
    }
}

#[tokio::test]
async fn a_stream_that_trickles_says_the_same() {
    let server = Server::start(64 * KIB).await;
    let mut client = server.connect().await;
    client.0.get_mut().set_nodelay(true).expect("a TCP socket");
    let stream = [masked(0x1, "a€".as_bytes()), masked(FIN | 0x9, b"beat"), masked(FIN, "😀".as_bytes())].concat();
    for byte in stream {
        client.send_raw(&[byte]).await;
    }
    assert_eq!(client.hear().await, Message::Pong("beat".into()));
    assert_eq!(client.hear().await, Message::text("a€😀"));
}
