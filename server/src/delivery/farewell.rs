//! The end of a socket: the last words, and a moment for them to arrive.

use super::connection::Remains;
use crate::websocket::framing;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Bytes that are read away at a time. Everybody may leave at once, so this is small.
const SCRATCH: usize = 128;

/// Says what is left to say and why it is the end.
///
/// Then it reads away what still comes: a socket that is closed with unread bytes is reset, and a reset may overtake the
/// farewell, so that the other side would never learn why.
pub(super) async fn say(remains: Remains) {
    let farewell = async {
        let Remains { mut io, mut pending, ending, _ticket } = remains;
        pending.extend(ending.farewell().map(|(code, reason)| framing::close(code, reason)));
        for frame in pending {
            io.write_all(&frame).await?;
        }
        io.shutdown().await?;
        let mut scratch = [0; SCRATCH];
        while io.read(&mut scratch).await? > 0 {}
        io::Result::Ok(())
    };
    // Who does not listen any more is gone.
    let _ = timeout(FAREWELL, farewell).await;
}
