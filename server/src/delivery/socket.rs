//! One socket: what it hears, and how far it takes what is written. It holds no buffer while nothing is on its way.

use super::ending::Ending;
use crate::{
    rooms::Run,
    websocket::{framing::Reader, upgrade::Stream},
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// Frames of one vectored write, at most.
const MAX_WRITE_FRAMES: usize = 64;

/// An open socket.
pub(super) struct Socket {
    io: Stream,
    /// Rings the shard when the socket can be read or written again.
    bell: Waker,
    /// Understands what comes in.
    pub(super) reader: Reader,
    /// Whole frames for this reader alone, and before them the rest of one that was written in part.
    pending: VecDeque<Bytes>,
    /// Since when the socket takes nothing more.
    stalled: Option<Instant>,
    /// Something that was written has not left a stream that has a buffer of its own, as one that encrypts has.
    is_unflushed: bool,
}

/// How much of what is shared is on its way: taken by the socket, or pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// Frames; of the last one a rest may be pending.
    pub(super) frames: usize,
    pub(super) bytes: usize,
}

/// How far a write came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Everything is on its way.
    All,
    /// The socket takes no more now; its bell rings when it does.
    Part,
}

impl Socket {
    pub(super) fn new(io: Stream, bell: Waker) -> Socket {
        Socket { io, bell, reader: Reader::default(), pending: VecDeque::new(), stalled: None, is_unflushed: false }
    }

    /// Rings for this socket: there is something to do with it that no byte announces.
    pub(super) fn ring(&self) {
        self.bell.wake_by_ref();
    }

    /// What rings for this socket.
    pub(super) fn bell(&self) -> &Waker {
        &self.bell
    }

    /// Reads what has come into `scratch`; pending when nothing has. Zero bytes are the end.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> Poll<Result<usize, Ending>> {
        let mut into = ReadBuf::new(scratch);
        let read = Pin::new(&mut self.io).poll_read(&mut Context::from_waker(&self.bell), &mut into);
        Poll::Ready(ready!(read).map(|()| into.filled().len()).map_err(|_| Ending::Lost))
    }

    /// Puts a whole frame behind what is pending. The caller bounds how many, see [`Socket::pending`].
    pub(super) fn push(&mut self, frame: Bytes) {
        self.pending.push_back(frame);
    }

    /// Frames that wait to be written.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Since when nothing was taken, where something waits.
    pub(super) fn stalled(&self) -> Option<Instant> {
        self.stalled
    }

    /// Writes what is pending.
    pub(super) fn drain(&mut self, now: Instant) -> Result<Taken, Ending> {
        while !self.pending.is_empty() {
            let written = self.write_together(&[])?;
            let Some(written) = written else { return Ok(self.wait(now)) };
            self.is_unflushed = true;
            self.forget(written);
            self.stalled = self.stalled.map(|_| now);
        }
        if self.is_unflushed && self.flush()?.is_pending() {
            return Ok(self.wait(now));
        }
        self.stalled = None;
        // An idle socket keeps no place for what it once had to say.
        self.pending = VecDeque::new();
        Ok(Taken::All)
    }

    /// Writes what is pending, unless the socket takes nothing: then its bell tells when it does.
    pub(super) fn drain_unless_stalled(&mut self, now: Instant) -> Result<(), Ending> {
        if !self.pending.is_empty() && self.stalled.is_none() {
            self.drain(now)?;
        }
        Ok(())
    }

    /// Writes what is pending and, behind it, frames that others read as well. The rest of one that was written in part is
    /// pending afterwards.
    pub(super) fn write(&mut self, run: Run<'_>, now: Instant) -> Result<Written, Ending> {
        if self.pending.len() >= MAX_WRITE_FRAMES && self.drain(now)? == Taken::Part {
            return Ok(Written { frames: 0, bytes: 0 });
        }
        let before = self.pending.iter().map(Bytes::len).sum();
        let written = self.write_together(run.bytes())?;
        if written.is_none() && self.pending.is_empty() {
            // It waits with a frame in its hands: until that is taken it has stalled, whatever else happens.
            let first = Bytes::copy_from_slice(run.first());
            let written = Written { frames: 1, bytes: first.len() };
            self.pending.push_back(first);
            self.wait(now);
            return Ok(written);
        }
        self.is_unflushed |= written.is_some();
        self.forget(written.unwrap_or_default().min(before));
        let bytes = written.unwrap_or_default().saturating_sub(before);
        let (frames, rest) = run.split(bytes);
        if !rest.is_empty() {
            // A copy: the rest of one frame is not to keep all of the stretch.
            self.pending.push_back(Bytes::copy_from_slice(rest));
        }
        if !self.pending.is_empty() {
            self.stalled = Some(now);
        }
        // After a write in part this asks to be told when the socket takes more.
        self.drain(now)?;
        Ok(Written { frames, bytes: bytes + rest.len() })
    }

    /// One write of the first frames that are pending and, where those are few, of what comes behind them; `None` when the
    /// socket takes nothing now.
    fn write_together(&mut self, behind: &[u8]) -> Result<Option<usize>, Ending> {
        let Socket { io, bell, pending, stalled, .. } = self;
        let write = |slices: &[IoSlice<'_>]| {
            // Where it took nothing, the runtime knows when it takes something again, and nobody has to try.
            let unasked = if stalled.is_none() { io.write_unasked(slices) } else { None };
            let asked = || Pin::new(io).poll_write_vectored(&mut Context::from_waker(bell), slices);
            progress(unasked.map_or_else(asked, Poll::Ready))
        };
        if pending.is_empty() {
            return write(&[IoSlice::new(behind)]);
        }
        let mut slices = [IoSlice::new(&[]); MAX_WRITE_FRAMES];
        let pieces = pending.iter().map(Bytes::as_ref).chain([behind]);
        let count = slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count();
        write(&slices[..count])
    }

    fn flush(&mut self) -> Result<Poll<()>, Ending> {
        let flushed = Pin::new(&mut self.io).poll_flush(&mut Context::from_waker(&self.bell)).map_err(|_| Ending::Lost);
        self.is_unflushed = flushed.is_pending();
        match flushed {
            Poll::Ready(flushed) => flushed.map(Poll::Ready),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    fn wait(&mut self, now: Instant) -> Taken {
        self.stalled.get_or_insert(now);
        Taken::Part
    }

    /// Takes so many bytes away from what is pending.
    fn forget(&mut self, mut bytes: usize) {
        while let Some(first) = self.pending.front_mut() {
            if bytes < first.len() {
                *first = first.slice(bytes..);
                return;
            }
            bytes -= first.len();
            self.pending.pop_front();
        }
    }

    /// What is left of it for a farewell: the stream, and what has to be written first so that the stream stays sound.
    pub(super) fn into_parts(self) -> (Stream, VecDeque<Bytes>) {
        (self.io, self.pending)
    }
}

/// So many bytes were taken; `None` when the socket takes nothing now.
fn progress(written: Poll<io::Result<usize>>) -> Result<Option<usize>, Ending> {
    match written {
        Poll::Pending => Ok(None),
        Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => Err(Ending::Lost),
        Poll::Ready(Ok(bytes)) => Ok(Some(bytes)),
    }
}

#[cfg(test)]
mod tests;
