//! One connection's HTTP: requests in time, answers, and an end.

use super::{caller::Caller, lobby::Visit};
use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{net::IpAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long the head of a request may take, also the first one and those after a pause. Who only holds a connection
/// open does not hold it for long.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long an answer that is being given may still take when the server stops.
const LAST_ANSWER: Duration = Duration::from_secs(3);

/// Serves requests until the other side has no more, until its place is needed for somebody else, or until `stopping` is
/// cancelled. An upgraded connection is no longer HTTP's: this ends, and the socket goes on by itself.
pub(crate) async fn serve_connection<Io>(
    io: Io,
    peer: Option<IpAddr>,
    visit: Visit,
    router: Router,
    stopping: CancellationToken,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let visit = Arc::new(visit);
    let caller = Caller { peer, visit: visit.clone() };
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        caller.visit.asks();
        request.extensions_mut().insert(caller.clone());
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        // In this order: whoever comes is listened to before they can be sent away.
        biased;
        ended = connection.as_mut() => ended,
        () = visit.sent_away() => return,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST_ANSWER, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}
