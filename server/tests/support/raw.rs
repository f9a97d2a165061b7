//! A socket whose bytes a test writes itself, to say what no library would (RFC 6455, section 5.2).

use super::{Wire, http, in_time};
use app::protocol::{ClientFrame, ServerFrame};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// First byte: this frame ends its message.
pub(crate) const FIN: u8 = 0x80;
pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// A client's frame: first byte, length, mask, masked payload.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, 0x80, payload.len());
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A client's frame as it is written.
pub(crate) fn written(frame: &ClientFrame) -> Vec<u8> {
    masked(FIN | TEXT, &serde_json::to_vec(frame).expect("frames are plain data"))
}

fn header(first: u8, mask_bit: u8, length: usize) -> Vec<u8> {
    match length {
        0..=125 => vec![first, mask_bit | length as u8],
        126..=0xffff => [&[first, mask_bit | 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, mask_bit | 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

/// An open WebSocket without a library.
pub(crate) struct RawSocket {
    wire: Wire,
    patience: Duration,
}

impl RawSocket {
    /// `early` goes out together with the request, before there is an answer.
    pub(super) async fn open(mut wire: Wire, host: &str, query: &str, early: &[u8], patience: Duration) -> RawSocket {
        http::write_request(&mut wire, host, "GET", &format!("/ws?{query}"), &http::UPGRADE).await;
        wire.write_all(early).await.expect("it is taken");
        let (status, _) = in_time("the upgrade", patience, http::read_head(&mut wire)).await;
        assert_eq!(status, 101, "the upgrade");
        RawSocket { wire, patience }
    }

    /// Writes bytes. A server that has hung up already is no failure: the close code tells.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = in_time("writing", self.patience, self.wire.write_all(bytes)).await;
    }

    /// The next frame: the low four bits of its first byte, and its payload. `None` when the server has hung up.
    pub(crate) async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        in_time("a frame", self.patience, async {
            let first = self.wire.read_u8().await.ok()?;
            let length = match self.wire.read_u8().await.ok()? {
                126 => self.wire.read_u16().await.ok()?.into(),
                127 => usize::try_from(self.wire.read_u64().await.ok()?).ok()?,
                short => short.into(),
            };
            let mut payload = vec![0; length];
            self.wire.read_exact(&mut payload).await.ok()?;
            Some((first & 0x0f, payload))
        })
        .await
    }

    /// Writes frames in one go.
    pub(crate) async fn say(&mut self, frames: &[ClientFrame]) {
        self.write(&frames.iter().flat_map(written).collect::<Vec<u8>>()).await;
    }

    /// The next frame in text.
    pub(crate) async fn read_frame(&mut self) -> ServerFrame {
        loop {
            match self.read().await.expect("the server has not hung up") {
                (TEXT, payload) => return serde_json::from_slice(&payload).expect("a frame"),
                (CLOSE, payload) => panic!("the server said goodbye: {payload:?}"),
                _ => {}
            }
        }
    }

    /// The next text frame with these words in it; what comes before it is passed over.
    pub(crate) async fn read_text_with(&mut self, words: &str) -> String {
        while let Some((opcode, payload)) = self.read().await {
            let text = String::from_utf8_lossy(&payload).into_owned();
            if opcode == TEXT && text.contains(words) {
                return text;
            }
        }
        panic!("the server hung up before it said {words}");
    }

    /// The code with which the server closes; `None` when it hangs up without a word.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        while let Some((opcode, payload)) = self.read().await {
            if opcode == CLOSE {
                return Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
        None
    }
}
