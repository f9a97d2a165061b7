//! Thousands in one room: nobody waits for those who stop reading.

use crate::support::{CLOSE, RawSocket, TEXT, TestClient, TestServer, fresh_id, say, unhurried};
use futures::future::{join, join_all};
use memchr::memmem;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

const READERS: usize = 2_000;
/// Of those, the ones who stop.
const STALLED: usize = 200;
/// How many times longer the others may wait than when everybody reads: fewer read, so it is no longer; what is measured
/// is a machine that others use, too.
const RATIO: f64 = 1.5;
/// Messages of one measurement.
const MEASURED: usize = 9;
/// Messages of 1,400 bytes on the wire, more than a pipe holds.
const FILLING: usize = 15;
/// From one message to the next.
const PACE: Duration = Duration::from_millis(100);

/// A room with an author and readers who were told where they are.
struct Crowd {
    server: TestServer,
    author: TestClient,
    readers: Vec<RawSocket>,
    /// Messages so far.
    said: u64,
    next: Instant,
}

impl Crowd {
    async fn gather(server: TestServer) -> Crowd {
        let author = server.connect("room=crowd&name=author").await;
        let mut readers = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            readers.push(server.raw("room=crowd&after=0").await);
        }
        Crowd { server, author, readers, said: 0, next: Instant::now() }
    }

    /// Says something, in its time, and waits until these have read it; each takes `pause` over it. Answers how long the
    /// slowest of a hundred waited, by the clock on the wall.
    async fn say(&mut self, reading: std::ops::Range<usize>, paused: usize, pause: Duration) -> Duration {
        sleep_until(self.next).await;
        self.next += PACE;
        self.said += 1;
        let (seq, said) = (self.said, std::time::Instant::now());
        self.author.send(&say(fresh_id(), &"x".repeat(900))).await;
        let read = self.readers[reading].iter_mut().enumerate().map(|(number, reader)| async move {
            assert_eq!(next_seq(reader).await, Ok(seq), "everything, once, in order");
            if number < paused {
                let since = std::time::Instant::now();
                while since.elapsed() < pause {
                    std::hint::spin_loop();
                }
            }
            said.elapsed()
        });
        let mut waited = join(join_all(read), self.author.chat()).await.0;
        waited.sort_unstable();
        waited[waited.len() * 99 / 100]
    }

    /// The median of several.
    async fn measure(&mut self, reading: std::ops::Range<usize>, paused: usize, pause: Duration) -> Duration {
        let mut waited = Vec::new();
        for _ in 0..MEASURED {
            waited.push(self.say(reading.clone(), paused, pause).await);
        }
        waited.sort_unstable();
        waited[MEASURED / 2]
    }
}

/// The position of the next message, or the code that the socket was closed with.
async fn next_seq(reader: &mut RawSocket) -> Result<u64, u16> {
    loop {
        match reader.read().await.expect("the server says goodbye before it hangs up") {
            (CLOSE, code) => return Err(u16::from_be_bytes([code[0], code[1]])),
            (TEXT, frame) if memmem::find(&frame, br#""Type":"Chat""#).is_some() => return Ok(seq_of(&frame)),
            _ => {}
        }
    }
}

fn seq_of(frame: &[u8]) -> u64 {
    let name = br#""Seq":"#;
    let at = memmem::find(frame, name).expect("a message has a position") + name.len();
    frame[at..].iter().take_while(|byte| byte.is_ascii_digit()).fold(0, |seq, digit| seq * 10 + u64::from(digit - b'0'))
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn of_two_thousand_two_hundred_stop_and_the_others_do_not_notice() {
    let mut crowd = Crowd::gather(TestServer::in_memory(&unhurried())).await;
    let none = Duration::ZERO;
    let before = crowd.measure(0..READERS, 0, none).await;

    // The control: two hundred who are waited for, for as long as everybody takes together.
    let waited_for = crowd.measure(0..READERS, STALLED, 2 * before / STALLED as u32).await;
    assert!(ratio(waited_for, before) > RATIO, "{waited_for:?} after {before:?}: the measure sees nothing");

    let (began, others) = (crowd.next, STALLED..READERS);
    for _ in 0..FILLING {
        crowd.say(others.clone(), 0, none).await;
    }
    let during = crowd.measure(others.clone(), 0, none).await;
    assert!(ratio(during, before) <= RATIO, "the others waited {during:?}, and {before:?} when everybody read");

    // Ten seconds without progress, and a moment in which the goodbye can still be read.
    crowd.next = began + Duration::from_millis(12_200) - PACE;
    crowd.say(others.clone(), 0, none).await;
    sleep_until(crowd.next).await;
    let (head, first) = (crowd.said, 2 * MEASURED as u64 + 1);
    let server = &crowd.server;
    let coming_back = crowd.readers[..STALLED].iter_mut().map(|stalled| async move {
        let mut next = first;
        loop {
            match next_seq(stalled).await {
                Ok(seq) => assert_eq!(seq, next, "in order, as far as it was read"),
                Err(code) => break assert_eq!(code, 4008, "it is told to come back"),
            }
            next += 1;
        }
        assert!(next < head, "it was not behind");
        let mut back = server.raw(&format!("room=crowd&after={}", next - 1)).await;
        for seq in next..=head {
            assert_eq!(next_seq(&mut back).await, Ok(seq), "the rest, once");
        }
    });
    join_all(coming_back).await;
    crowd.say(others, 0, none).await;
}
