//! The one file that touches a WebSocket: frames in, frames out. Another transport would replace this file.

use super::ending::Ending;
use app::protocol::{MAX_FRAME_BYTES, close};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        error::{CapacityError, ProtocolError},
        handshake::server::create_response_with_body,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

/// The buffer that a socket reads into, in bytes. It is kept while the socket is idle; longer frames take more reads.
const READ_BUFFER: usize = 1024;

/// Written bytes that are gathered before they go out. The buffer keeps the largest size that it ever had.
const WRITE_BUFFER: usize = 8 * 1024;

/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// A socket that speaks text frames.
pub(crate) struct Transport {
    socket: WebSocketStream<TokioIo<Upgraded>>,
}

/// What came in.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A text frame.
    Text(Utf8Bytes),
    /// A ping or a pong.
    Beat,
    /// The end.
    End(Ending),
}

/// A socket that is promised: it opens when the answer to its request has been sent.
pub(crate) struct Promise(OnUpgrade);

impl Promise {
    /// The open socket, with the protocol's bounds; `None` when the other side has gone meanwhile.
    pub(crate) async fn open(self) -> Option<Transport> {
        let io = TokioIo::new(self.0.await.inspect_err(|error| tracing::debug!(%error, "an upgrade failed")).ok()?);
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES))
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER);
        Some(Transport { socket: WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await })
    }
}

impl Transport {
    /// Answers the opening handshake (RFC 6455, section 4.2): 101 and a promise, or what is wrong with the request.
    /// Nothing of the request is kept: it would hold its whole buffer for as long as the socket lives.
    pub(crate) fn accept(request: &mut Request) -> Result<(Response, Promise), Box<Response>> {
        let answer = create_response_with_body(request, Body::empty).map_err(|error| refuse(&error))?;
        if !has_good_key(request) {
            return Err(refuse(&Error::Protocol(ProtocolError::MissingSecWebSocketKey)));
        }
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let upgrade = upgrade.ok_or_else(|| refuse(&Error::Protocol(ProtocolError::MissingConnectionUpgradeHeader)))?;
        Ok((answer, Promise(upgrade)))
    }

    /// The next thing that comes in. Nothing is lost when this is not waited for to its end.
    pub(super) async fn receive(&mut self) -> Incoming {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => Incoming::Text(text),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Incoming::Beat,
            Some(Ok(Message::Binary(_))) => Incoming::End(Ending::BadFrame(close::BINARY)),
            Some(Ok(Message::Close(_))) => {
                self.finish_goodbye().await;
                Incoming::End(Ending::Left)
            }
            Some(Err(error)) => Incoming::End(ending_of(error)),
            None => Incoming::End(Ending::Lost),
        }
    }

    /// Sends frames in one go, as far as the buffers let it.
    pub(super) async fn send(&mut self, frames: Vec<Bytes>) -> Result<(), Ending> {
        for frame in frames {
            let text = Utf8Bytes::try_from(frame).expect("frames are written as JSON, which is UTF-8");
            self.socket.feed(Message::Text(text)).await.map_err(ending_of)?;
        }
        self.socket.flush().await.map_err(ending_of)
    }

    pub(super) async fn ping(&mut self) -> Result<(), Ending> {
        self.socket.send(Message::Ping(Bytes::new())).await.map_err(ending_of)
    }

    /// Says goodbye and waits a moment for the answer.
    pub(super) async fn close(mut self, code: u16, reason: &'static str) {
        let farewell = async {
            let frame = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from_static(reason) };
            if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                self.finish_goodbye().await;
                self.linger().await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    async fn finish_goodbye(&mut self) {
        let rest = async { while let Some(Ok(_)) = self.socket.next().await {} };
        let _ = tokio::time::timeout(FAREWELL, rest).await;
    }

    /// Reads away what still comes: a socket that is closed with unread bytes is reset, and a reset may overtake the
    /// farewell, so that the other side would never learn why.
    async fn linger(&mut self) {
        let io = self.socket.get_mut();
        if io.shutdown().await.is_ok() {
            let mut scratch = vec![0; READ_BUFFER];
            while io.read(&mut scratch).await.is_ok_and(|read| read > 0) {}
        }
    }
}

/// The key is 16 bytes in base64 (RFC 6455, section 4.2.1).
fn has_good_key(request: &Request) -> bool {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    key.and_then(|key| BASE64_STANDARD.decode(key).ok()).is_some_and(|key| key.len() == 16)
}

fn refuse(error: &Error) -> Box<Response> {
    let is_version = matches!(error, Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader));
    let status = if is_version { StatusCode::UPGRADE_REQUIRED } else { StatusCode::BAD_REQUEST };
    let mut response = Response::new(Body::from(format!("This address opens WebSockets. {error}.\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Box::new(response)
}

fn ending_of(error: Error) -> Ending {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Ending::BadFrame(close::TOO_BIG),
        Error::Utf8(_) => Ending::BadFrame(close::NOT_UTF8),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Ending::Lost,
        Error::Protocol(_) => Ending::BadFrame(close::PROTOCOL),
        _ => Ending::Lost,
    }
}
