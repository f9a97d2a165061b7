//! What a socket is given leaves it as one unbroken stream, however little the other side takes at a time.

use super::*;
use crate::rooms::Stretch;
use app::protocol::Seq;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Wake,
};

impl Socket {
    /// What it holds beside itself, in bytes.
    pub(in crate::delivery) fn held_bytes(&self) -> usize {
        let frames: usize = self.pending.iter().map(Bytes::len).sum();
        frames + self.pending.capacity() * size_of::<Bytes>() + self.reader.held_bytes()
    }
}

/// A stream that takes so many bytes, then nothing until its reader was waited for, and so on.
struct Sipping {
    /// How much it takes before it is waited for, in bytes. The last one goes for the rest, too.
    sips: Vec<usize>,
    /// What it takes before it is waited for again.
    room: usize,
    /// Whether it takes several frames at once.
    is_vectored: bool,
    /// How often a flush waits for the reader, as of a stream that encrypts.
    late_flushes: usize,
    /// Who is woken when the reader has read on; only when somebody was told to wait.
    waiting: Option<Waker>,
    /// What has arrived.
    taken: Vec<u8>,
}

impl Sipping {
    fn new(sips: &[usize], is_vectored: bool, late_flushes: usize) -> Sipping {
        let (mut sips, room) = (sips.to_vec(), sips[0]);
        if sips.len() > 1 {
            sips.remove(0);
        }
        Sipping { sips, room, is_vectored, late_flushes, waiting: None, taken: Vec::new() }
    }

    /// The reader reads on.
    fn read_on(&mut self) {
        self.waiting.take().expect("whoever waits has asked to be woken").wake();
        if self.room == 0 {
            self.room = if self.sips.len() > 1 { self.sips.remove(0) } else { self.sips[0] };
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>) {
        self.waiting = Some(cx.waker().clone());
    }

    fn sip(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        self.taken.extend_from_slice(&bytes[..taken]);
        taken
    }
}

/// A shared stream, so that the test can look at the other side.
#[derive(Clone)]
struct Shared(Arc<parking_lot::Mutex<Sipping>>);

impl AsyncWrite for Shared {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut stream = self.0.lock();
        if stream.room == 0 {
            stream.wait(cx);
            return Poll::Pending;
        }
        let slices = if stream.is_vectored { slices } else { &slices[..1] };
        Poll::Ready(Ok(slices.iter().map(|slice| stream.sip(slice)).sum()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = self.0.lock();
        if stream.late_flushes == 0 {
            return Poll::Ready(Ok(()));
        }
        stream.late_flushes -= 1;
        stream.wait(cx);
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Shared {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[derive(Default)]
struct Rings(AtomicUsize);

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Frames of very different lengths, one of them of a single byte.
fn frames() -> Vec<Bytes> {
    let frame = |(number, length): (usize, usize)| Bytes::from(vec![b'a' + number as u8; length]);
    [7, 1, 30, 2, 11].into_iter().enumerate().map(frame).collect()
}

/// Writes all frames as a shard does: a room's frames behind what is pending, as far as they go, and what waits whenever
/// the bell has rung. Answers how often it was told to wait.
fn write_all(stream: Sipping) -> usize {
    let shared = Shared(Arc::new(parking_lot::Mutex::new(stream)));
    let bell = Arc::new(Rings::default());
    let mut socket = Socket::new(Stream::Other(Box::new(shared.clone())), bell.clone().into());
    let (frames, answer, now) = (frames(), Bytes::from_static(b"ANSWER"), Instant::now());
    let stretch = Stretch::of(Seq::ZERO, frames.iter());
    let (mut cursor, mut stalls, mut expected) = (0, 0, Vec::new());
    loop {
        if socket.stalled().is_none() && cursor == frames.len() {
            socket.drain(now).expect("the stream is sound");
        }
        if socket.stalled().is_none() && cursor < frames.len() {
            let before = cursor;
            let written = socket.write(stretch.beyond(Seq(cursor as u64)), now).expect("the stream is sound");
            cursor += written.frames;
            frames[before..cursor].iter().for_each(|frame| expected.extend_from_slice(frame));
            if before < 2 && cursor >= 2 {
                socket.push(answer.clone());
                expected.extend_from_slice(&answer);
                continue;
            }
        }
        match socket.stalled() {
            Some(_) => {
                shared.0.lock().read_on();
                stalls += 1;
                assert_eq!(bell.0.load(Ordering::Relaxed), stalls, "the bell rang");
                socket.drain(now).expect("the stream is sound");
            }
            None if socket.pending() == 0 && cursor == frames.len() => break,
            None => {}
        }
    }
    assert!(!socket.is_unflushed, "all of it has left");
    assert_eq!(socket.pending.capacity(), 0, "no place is kept");
    assert_eq!(shared.0.lock().taken, expected, "the stream is unbroken");
    stalls
}

#[test]
fn wherever_a_write_is_cut_the_stream_goes_on_there() {
    let length = frames().iter().map(Bytes::len).sum::<usize>() + b"ANSWER".len();
    for is_vectored in [true, false] {
        for late_flushes in [0, 1, 3] {
            for cut in 1..=length {
                let stalls = write_all(Sipping::new(&[cut, usize::MAX], is_vectored, late_flushes));
                assert!(cut == length || stalls > 0, "cut at {cut}, it was never waited for");
                write_all(Sipping::new(&[cut], is_vectored, late_flushes));
                write_all(Sipping::new(&[length - cut + 1, 1, cut], is_vectored, late_flushes));
            }
        }
    }
}

#[test]
fn more_answers_than_one_write_takes_go_out_in_several() {
    let frames: Vec<Bytes> = (0..MAX_WRITE_FRAMES + 6).map(|number| Bytes::from(vec![number as u8])).collect();
    let shared = Shared(Arc::new(parking_lot::Mutex::new(Sipping::new(&[usize::MAX], true, 0))));
    let mut socket = Socket::new(Stream::Other(Box::new(shared.clone())), Arc::new(Rings::default()).into());
    frames.iter().for_each(|frame| socket.push(frame.clone()));
    assert_eq!(socket.drain(Instant::now()), Ok(Taken::All));
    assert_eq!(shared.0.lock().taken, frames.concat());
}

#[test]
fn behind_more_answers_than_one_write_takes_messages_come_last() {
    let answers: Vec<Bytes> = (0..MAX_WRITE_FRAMES + 6).map(|number| Bytes::from(vec![number as u8])).collect();
    let (message, now) = (Bytes::from_static(b"MESSAGE"), Instant::now());
    let stretch = Stretch::of(Seq::ZERO, [message.clone()].iter());
    for (cut, written) in [(usize::MAX, Written { frames: 1, bytes: 7 }), (3, Written { frames: 0, bytes: 0 })] {
        let shared = Shared(Arc::new(parking_lot::Mutex::new(Sipping::new(&[cut, usize::MAX], true, 0))));
        let mut socket = Socket::new(Stream::Other(Box::new(shared.clone())), Arc::new(Rings::default()).into());
        answers.iter().for_each(|answer| socket.push(answer.clone()));
        assert_eq!(socket.write(stretch.beyond(Seq::ZERO), now), Ok(written));
        if socket.stalled().is_some() {
            shared.0.lock().read_on();
            assert_eq!(socket.drain(now), Ok(Taken::All));
            assert_eq!(socket.write(stretch.beyond(Seq::ZERO), now), Ok(Written { frames: 1, bytes: 7 }));
        }
        assert_eq!(shared.0.lock().taken, [answers.concat(), message.to_vec()].concat());
    }
}

#[test]
fn it_has_been_stalled_since_it_last_took_something() {
    let shared = Shared(Arc::new(parking_lot::Mutex::new(Sipping::new(&[3], true, 0))));
    let mut socket = Socket::new(Stream::Other(Box::new(shared.clone())), Arc::new(Rings::default()).into());
    let at = |second| Instant::now() + std::time::Duration::from_secs(second);
    let (first, second, third) = (at(1), at(2), at(3));
    let stretch = Stretch::of(Seq::ZERO, [Bytes::from_static(b"eight by")].iter());
    assert_eq!(socket.write(stretch.beyond(Seq::ZERO), first), Ok(Written { frames: 1, bytes: 8 }));
    assert_eq!(socket.stalled(), Some(first));
    assert_eq!(socket.drain(second), Ok(Taken::Part));
    assert_eq!(socket.stalled(), Some(first), "nothing was taken");
    shared.0.lock().read_on();
    assert_eq!(socket.drain(third), Ok(Taken::Part));
    assert_eq!(socket.stalled(), Some(third), "something was");
    shared.0.lock().read_on();
    assert_eq!((socket.drain(third), socket.stalled()), (Ok(Taken::All), None));
}
