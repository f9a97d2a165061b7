//! The same bytes mean the same to tungstenite, and what the server writes is read by it.

use crate::meaning::{Meant, check, framed, hear, hear_from};
use proptest::{collection::vec, prelude::*, sample::Index};
use rand::{Rng, SeedableRng, rngs::StdRng};
use server::websocket::framing::{self, Binary, Bounds, Broken, Heard};
use tokio_tungstenite::tungstenite::protocol::Role;

/// The fuzz target runs millions; so many keep its body from rotting.
const INPUTS: u64 = 20_000;

/// First bytes as a client that means well writes them, and a few that it does not.
const FIRST: [u8; 12] = [0x81, 0x81, 0x01, 0x00, 0x00, 0x80, 0x82, 0x02, 0x89, 0x8a, 0x88, 0xc1];

#[test]
fn any_bytes_mean_the_same() {
    for seed in 0..INPUTS {
        let mut random = StdRng::seed_from_u64(seed);
        let mut records = Vec::new();
        for _ in 0..random.random_range(0..8) {
            records.extend(record(&mut random));
        }
        // Frames that are whole, frames of which a few bytes were changed, and noise.
        let how = random.random::<u8>();
        check(&[&[how | 1][..], &records].concat());
        let mut mutated = framed(&records);
        for _ in 0..random.random_range(0..4) {
            if !mutated.is_empty() {
                let at = random.random_range(0..mutated.len());
                mutated[at] = random.random();
            }
        }
        check(&[&[how & !1][..], &mutated].concat());
        let noise: Vec<u8> = (0..random.random_range(0..30)).map(|_| random.random()).collect();
        check(&[&[how & !1][..], &noise].concat());
    }
}

/// A frame: first byte, length, mask, payload.
fn record(random: &mut StdRng) -> Vec<u8> {
    let first = FIRST[random.random_range(0..FIRST.len())];
    let payload = match first {
        0x88 => close_payload(random),
        0x82 | 0x02 => vec![random.random(); random.random_range(0..256)],
        _ => text_payload(random),
    };
    let length = payload.len().min(255);
    [&[first, length as u8, random.random()][..], &payload[..length]].concat()
}

fn text_payload(random: &mut StdRng) -> Vec<u8> {
    let characters = ["a", "é", "€", "\u{d7ff}", "😀", "\u{10ffff}"];
    let mut text: String =
        (0..random.random_range(0..30)).map(|_| characters[random.random_range(0..characters.len())]).collect();
    if random.random_range(0..10) == 0 {
        text.extend(std::iter::repeat_n('x', random.random_range(0..200)));
    }
    let mut bytes = text.into_bytes();
    if random.random_range(0..10) == 0 {
        bytes.push(random.random());
    }
    bytes
}

fn close_payload(random: &mut StdRng) -> Vec<u8> {
    let codes = [0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1013, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65_535];
    let code: u16 = codes[random.random_range(0..codes.len())];
    let mut payload = [&code.to_be_bytes()[..], &text_payload(random)].concat();
    payload.truncate(random.random_range(0..125));
    payload
}

proptest! {
    #[test]
    fn any_frames_mean_the_same(
        how in any::<u8>(),
        frames in vec((any::<Index>(), vec(any::<u8>(), 0..130), ".{0,60}"), 0..10),
    ) {
        let record = |(first, bytes, text): (Index, Vec<u8>, String)| {
            let first = *first.get(&FIRST);
            let payload = if first & 0x0f == 0x2 { bytes } else { text.into_bytes() };
            let length = payload.len().min(255);
            [&[first, length as u8, 0x5a][..], &payload[..length]].concat()
        };
        let records: Vec<u8> = frames.into_iter().flat_map(record).collect();
        check(&[&[how | 1][..], &records].concat());
    }
}

// Each difference that is meant

const BOUNDS: Bounds = Bounds { message_bytes: 125, binary: Binary::Accepted };

/// What we make of these bytes, and what they do.
fn ours_and_theirs(stream: &[u8]) -> (Meant, Meant) {
    check(&[&[0][..], stream].concat());
    (hear(stream, stream.len(), &BOUNDS), hear_from(stream, Role::Server, BOUNDS.message_bytes))
}

fn heard(heard: Heard<'static>) -> Meant {
    (vec![heard], None)
}

fn refused(broken: Broken) -> Meant {
    (vec![], Some(broken))
}

#[test]
fn a_length_in_a_longer_form_is_refused_only_here() {
    for stream in
        [&[0x81, 0xfe, 0, 2, 0, 0, 0, 0, b'h', b'i'][..], &[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, b'h', b'i']]
    {
        assert_eq!(ours_and_theirs(stream), (refused(Broken::Protocol), heard(Heard::Text("hi".into()))));
    }
}

#[test]
fn a_code_that_may_not_be_sent_is_refused_only_here() {
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
        let [high, low] = code.to_be_bytes();
        let replaced = heard(Heard::Close(Some((1002, "Protocol violation".into()))));
        let (ours, theirs) = ours_and_theirs(&[0x88, 0x82, 0, 0, 0, 0, high, low]);
        assert_eq!((ours, theirs), (refused(Broken::Protocol), replaced), "{code}");
        // Of two faults the code comes first.
        let (ours, theirs) = ours_and_theirs(&[0x88, 0x83, 0, 0, 0, 0, high, low, 0xff]);
        assert_eq!((ours, theirs), (refused(Broken::Protocol), refused(Broken::NotUtf8)), "{code}");
    }
}

#[test]
fn a_bad_gateway_may_be_told_only_here() {
    let (ours, theirs) = ours_and_theirs(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf6]);
    assert_eq!(ours, heard(Heard::Close(Some((1014, "".into())))));
    assert_eq!(theirs, heard(Heard::Close(Some((1002, "Protocol violation".into())))));
}

#[test]
fn a_fault_is_found_before_the_frame_is_whole_only_here() {
    for (begun, broken) in [
        (&[0xc1][..], Broken::Protocol),
        (&[0x83], Broken::Protocol),
        (&[0x09], Broken::Protocol),
        (&[0x80], Broken::Protocol),
        (&[0x81, 0x05, b'h'], Broken::Protocol),
        (&[0x89, 0xfe], Broken::Protocol),
        (&[0x01, 0x80, 0, 0, 0, 0, 0x81], Broken::Protocol),
        (&[0x01, 0x81, 0, 0, 0, 0, b'x', 0x80, 0xfd], Broken::TooBig),
        (&[0x81, 0x85, 0, 0, 0, 0, b'x', 0xff], Broken::NotUtf8),
    ] {
        assert_eq!(ours_and_theirs(begun), (refused(broken), (vec![], None)), "{begun:x?}");
    }
}

// What the server writes

#[test]
fn every_frame_that_is_written_is_read_by_a_client() {
    let payload = "taproom ".repeat(70_000 / 8);
    // Every length up to a few hundred, then in steps, and all that are near where the head grows.
    let lengths = (0..300).chain((300..70_000).step_by(127)).chain(65_500..65_600).chain([70_000]);
    let (mut stream, mut expected) = (Vec::new(), Vec::new());
    for length in lengths {
        let part = &payload[..length];
        stream.extend_from_slice(&framing::text(part.as_bytes()));
        stream.extend_from_slice(&framing::binary(part.as_bytes()));
        expected.push(Heard::Text(part.into()));
        expected.push(Heard::Binary(part.as_bytes().into()));
    }
    for length in 0..=125 {
        stream.extend_from_slice(&framing::ping(&payload.as_bytes()[..length]));
        stream.extend_from_slice(&framing::pong(&payload.as_bytes()[..length]));
        expected.push(Heard::Ping(payload.as_bytes()[..length].into()));
        expected.push(Heard::Pong(payload.as_bytes()[..length].into()));
    }
    stream.extend_from_slice(&framing::close(4008, &payload));
    expected.push(Heard::Close(Some((4008, payload[..123].into()))));
    assert!(hear_from(&stream, Role::Client, 1 << 20) == (expected, None));
    assert_eq!(hear_from(&framing::close_without_code(), Role::Client, 125).0, [Heard::Close(None)]);
}
