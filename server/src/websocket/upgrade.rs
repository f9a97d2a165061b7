//! How a WebSocket opens: from an HTTP request to a socket that is nobody else's (RFC 6455, section 4.2).

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{Error, error::ProtocolError, handshake::server::create_response_with_body};

/// What the kernel is asked to hold for a socket that does not read, in bytes; Linux doubles it for its own needs. Left
/// alone it would grow to megabytes, and who reads slowly would be found late.
const SEND_BUFFER: usize = 64 * 1024;

/// Answers the opening handshake: 101 and a promise, or what is wrong with the request. Nothing of the request is kept:
/// it would hold its whole buffer for as long as the socket lives.
pub fn accept(request: &mut Request) -> Result<(Response, Promise), Box<Response>> {
    let answer = create_response_with_body(request, Body::empty).map_err(|error| refuse(&error))?;
    if !has_good_key(request) {
        return Err(refuse(&Error::Protocol(ProtocolError::MissingSecWebSocketKey)));
    }
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let upgrade = upgrade.ok_or_else(|| refuse(&Error::Protocol(ProtocolError::MissingConnectionUpgradeHeader)))?;
    Ok((answer, Promise(upgrade)))
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

/// A socket that is promised: it opens when the answer to its request has been sent.
#[derive(Debug)]
pub struct Promise(OnUpgrade);

impl Promise {
    /// The open socket; `None` when the other side has gone meanwhile.
    pub async fn open(self) -> Option<Opened> {
        let opened = self.0.await.map_err(io::Error::other).and_then(Opened::of);
        opened.inspect_err(|error| tracing::debug!(%error, "an upgrade failed")).ok()
    }
}

/// An open socket that nobody has read from.
pub struct Opened {
    /// Where to read and write.
    pub io: Raw,
    /// What came together with the request, to be read before anything from `io`. Usually nothing: a client waits for
    /// the answer.
    pub early: Bytes,
}

/// What is under an open socket.
pub enum Raw {
    /// A TCP socket, free of the runtime that accepted it. It does not block.
    Tcp(std::net::TcpStream),
    /// Anything else, as TLS or a simulated network.
    Other(Box<dyn Io>),
}

/// Something to read from and write to.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Opened {
    fn of(upgraded: Upgraded) -> io::Result<Opened> {
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(Parts { io, read_buf, .. }) => {
                let socket = io.into_inner().into_std()?;
                SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER)?;
                // A copy: what is left of hyper's buffer would keep all of it.
                Ok(Opened { io: Raw::Tcp(socket), early: Bytes::copy_from_slice(&read_buf) })
            }
            // This one gives out by itself what came early.
            Err(upgraded) => Ok(Opened { io: Raw::Other(Box::new(TokioIo::new(upgraded))), early: Bytes::new() }),
        }
    }
}

impl Raw {
    /// Registers the socket with the runtime that calls this.
    pub fn into_stream(self) -> io::Result<Stream> {
        Ok(match self {
            Raw::Tcp(socket) => Stream::Tcp(TcpStream::from_std(socket)?),
            Raw::Other(io) => Stream::Other(io),
        })
    }
}

/// An open socket that a runtime watches.
pub enum Stream {
    /// A TCP socket.
    Tcp(TcpStream),
    /// Anything else, as TLS or a simulated network.
    Other(Box<dyn Io>),
}

impl Stream {
    fn io(&mut self) -> Pin<&mut dyn Io> {
        match self {
            Stream::Tcp(socket) => Pin::new(socket),
            Stream::Other(io) => Pin::new(io),
        }
    }

    /// Writes to a TCP socket without asking whether it takes anything: nearly always it does, and the answer lies in memory
    /// of the runtime's that is cold when thousands are written to in a row. `None` where the runtime has to be asked, which
    /// then also tells when the socket takes more.
    pub fn write_unasked(&self, slices: &[IoSlice<'_>]) -> Option<io::Result<usize>> {
        let Stream::Tcp(socket) = self else { return None };
        let socket = SockRef::from(socket);
        let written = match slices {
            [slice] => socket.send(slice),
            slices => socket.send_vectored(slices),
        };
        let is_for_later =
            |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
        (!written.as_ref().is_err_and(is_for_later)).then_some(written)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.io().poll_read(cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.io().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Tcp(socket) => socket.is_write_vectored(),
            Stream::Other(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(cx)
    }
}
