//! Requests, written byte by byte, and their answers.

use super::Wire;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// A header that must be there once.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        assert!(values.next().is_none(), "{name} more than once in {:?}", self.headers);
        value.to_str().expect("a readable header")
    }
}

/// What a client says to have a request become a WebSocket (RFC 6455, section 4.1).
pub(super) const UPGRADE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Asks, and reads whatever is answered until the server hangs up.
pub(crate) async fn ask(mut wire: Wire, host: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    write_request(&mut wire, host, method, path, &[headers, &[("connection", "close")]].concat()).await;
    let (status, headers) = read_head(&mut wire).await;
    let mut body = Vec::new();
    wire.read_to_end(&mut body).await.expect("the answer's body");
    if headers.get("transfer-encoding").is_some_and(|encoding| encoding == "chunked") {
        body = join_chunks(&body);
    }
    Answer { status, headers, body }
}

/// Asks for a WebSocket. Where it is refused, the reasons are read; where not, the frames are left alone.
pub(super) async fn knock(mut wire: Wire, host: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    write_request(&mut wire, host, "GET", path, &[&UPGRADE[..], headers].concat()).await;
    let (status, headers) = read_head(&mut wire).await;
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    wire.read_exact(&mut body).await.expect("the answer's body");
    Answer { status, headers, body }
}

pub(super) async fn write_request(wire: &mut Wire, host: &str, method: &str, path: &str, headers: &[(&str, &str)]) {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    wire.write_all(request.as_bytes()).await.expect("the request is taken");
}

/// Reads up to the empty line and not a byte further: what follows may be frames.
pub(super) async fn read_head(wire: &mut Wire) -> (u16, HeaderMap) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(wire.read_u8().await.expect("the answer's head"));
    }
    let head = String::from_utf8(head).expect("a head in ASCII");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| {
        let name: HeaderName = name.parse().expect("a header's name");
        (name, HeaderValue::from_str(value).expect("a header's value"))
    });
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.append(name, value);
    }
    (status.expect("a status"), all)
}

fn join_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|pair| pair == b"\r\n").expect("a chunk's length");
        let length = std::str::from_utf8(&rest[..line]).expect("a number");
        let length = usize::from_str_radix(length, 16).expect("a number in hexadecimal");
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + length]);
        rest = &rest[line + 2 + length + 2..];
    }
}
