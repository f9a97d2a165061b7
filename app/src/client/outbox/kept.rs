//! An outbox as text, as it lies in the browser's storage: a record.
//!
//! The first line is the page's sign of life. Each further line is a draft, with tabs between its fields: id, time in
//! milliseconds, `S`peech or `A`ction, room, text in base64, and for a refused one the reason in base64.
//!
//! The version of this format is part of the key under which a record lies. Of a record, a line that cannot be read is
//! skipped; it goes when the record does.

use super::{Draft, DraftState, MAX_DRAFTS_IN_ALL};
use crate::protocol::{Kind, MessageId, RoomName, Text, Timestamp};

/// How much of the reason for a refusal is kept, in characters.
const MAX_REASON_CHARS: usize = 300;

/// Writes a record.
pub(super) fn write<'a>(sign: &str, drafts: impl Iterator<Item = (&'a RoomName, &'a Draft)>) -> String {
    let mut record = sign.to_owned();
    for (room, draft) in drafts {
        let kind = if draft.kind == Kind::Action { "A" } else { "S" };
        let (created, text) = (draft.created.0.to_string(), draft.text.to_base64());
        record.extend(["\n", &[draft.id.as_str(), &created, kind, room.as_str(), &text].join("\t")]);
        // One that is acknowledged is kept as one that waits: its position means nothing to the next page, whose log
        // may be another one, and to send it again is harmless.
        if let DraftState::Refused(why) = &draft.state {
            let why: String = why.chars().take(MAX_REASON_CHARS).collect();
            record.extend(["\t", &Text::parse(&why).map(|why| why.to_base64()).unwrap_or_default()]);
        }
    }
    record
}

/// The sign of life of a record.
pub(super) fn sign(record: &str) -> &str {
    record.lines().next().unwrap_or_default()
}

/// The drafts of a record, at most [`MAX_DRAFTS_IN_ALL`].
pub(super) fn read(record: &str) -> Vec<(RoomName, Draft)> {
    record.lines().skip(1).filter_map(line).take(MAX_DRAFTS_IN_ALL).collect()
}

fn line(line: &str) -> Option<(RoomName, Draft)> {
    let mut fields = line.split('\t');
    let id: MessageId = fields.next()?.parse().ok()?;
    let created = Timestamp(fields.next()?.parse().ok()?);
    let kind = match fields.next()? {
        "S" => Kind::Speech,
        "A" => Kind::Action,
        _ => return None,
    };
    let room = RoomName::parse(fields.next()?).ok()?;
    let text = Text::from_base64(fields.next()?).ok()?;
    let state = match fields.next() {
        None => DraftState::Waiting,
        Some(why) => DraftState::Refused(Text::from_base64(why).map(|why| why.as_str().into()).unwrap_or_default()),
    };
    let is_whole = fields.next().is_none() && created <= Timestamp::LAST;
    is_whole.then_some((room, Draft { id, text, kind, created, state }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Seq;
    use proptest::prelude::*;

    fn draft() -> impl Strategy<Value = (RoomName, Draft)> {
        let state = prop_oneof![
            Just(DraftState::Waiting),
            any::<u64>().prop_map(DraftState::InFlight),
            any::<u64>().prop_map(|seq| DraftState::Sent(Seq(seq))),
            "\\PC{0,400}".prop_map(|why| DraftState::Refused(why.into())),
        ];
        let kind = prop_oneof![Just(Kind::Speech), Just(Kind::Action)];
        ("[^/\\pC\\pZ][^\\pC\\pZ]{0,20}", "(?s)x.{0,60}", any::<u64>(), kind, 0..Timestamp::LAST.0, state)
            .prop_filter_map("a room name", |(room, text, id, kind, created, state)| {
                let (room, text) = (RoomName::parse(&room).ok()?, Text::parse(&text).ok()?);
                Some((room, Draft { id: MessageId::new(id, 1), text, kind, created: Timestamp(created), state }))
            })
    }

    /// What is left of a state in storage.
    fn kept(state: DraftState) -> DraftState {
        match state {
            DraftState::Refused(why) => {
                let why: String = why.chars().take(MAX_REASON_CHARS).collect();
                DraftState::Refused(Text::parse(&why).map(|why| why.as_str().into()).unwrap_or_default())
            }
            _ => DraftState::Waiting,
        }
    }

    fn in_order(drafts: &[(RoomName, Draft)]) -> impl Iterator<Item = (&RoomName, &Draft)> {
        drafts.iter().map(|(room, draft)| (room, draft))
    }

    #[test]
    fn a_record_is_read_by_later_builds_as_it_was_written_by_this_one() {
        let record = "here 1764000000000\n\
            01JDABCDEFGHJKMNPQRSTVWXYZ\t1764000000000\tS\tgeneral\taGVsbG8=\n\
            01JDABCDEFGHJKMNPQRSTVWXY0\t1764000000001\tA\ta b\td2F2ZXM=\tTm8u";
        let drafts = read(record);
        let refused = DraftState::Refused("No.".into());
        assert_eq!(drafts.iter().map(|(room, _)| room.as_str()).collect::<Vec<_>>(), ["general", "a b"]);
        assert_eq!(
            drafts.iter().map(|(_, draft)| draft.state.clone()).collect::<Vec<_>>(),
            [DraftState::Waiting, refused]
        );
        assert_eq!(write(sign(record), in_order(&drafts)), record);
    }

    #[test]
    fn a_line_that_cannot_be_read_harms_only_itself() {
        let good = "01JDABCDEFGHJKMNPQRSTVWXYZ\t5\tS\tgeneral\taGVsbG8=";
        let bad = [
            "",
            "\t\t\t\t",
            "short\t5\tS\tgeneral\taGVsbG8=",
            "01JDABCDEFGHJKMNPQRSTVWXYZ\t-5\tS\tgeneral\taGVsbG8=",
            "01JDABCDEFGHJKMNPQRSTVWXYZ\t18446744073709551615\tS\tgeneral\taGVsbG8=",
            "01JDABCDEFGHJKMNPQRSTVWXYZ\t5\tX\tgeneral\taGVsbG8=",
            "01JDABCDEFGHJKMNPQRSTVWXYZ\t5\tS\t/general\taGVsbG8=",
            "01JDABCDEFGHJKMNPQRSTVWXYZ\t5\tS\tgeneral\t!",
            "01JDABCDEFGHJKMNPQRSTVWXYZ\t5\tS\tgeneral",
            "01JDABCDEFGHJKMNPQRSTVWXYZ\t5\tS\tgeneral\taGVsbG8=\t\tmore",
        ];
        let record = ["here 1", good, &bad.join("\n"), good].join("\n");
        assert_eq!(read(&record).len(), 2);
    }

    #[test]
    fn no_more_is_read_than_a_page_may_hold() {
        let line = "\n01JDABCDEFGHJKMNPQRSTVWXYZ\t5\tS\tgeneral\taGVsbG8=";
        assert_eq!(read(&line.repeat(MAX_DRAFTS_IN_ALL + 1)).len(), MAX_DRAFTS_IN_ALL);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(drafts in proptest::collection::vec(draft(), 0..20)) {
            let record = write("here 5", in_order(&drafts));
            let expected: Vec<_> =
                drafts.into_iter().map(|(room, draft)| (room, Draft { state: kept(draft.state), ..draft })).collect();
            prop_assert_eq!(read(&record), expected);
            prop_assert_eq!(sign(&record), "here 5");
        }

        #[test]
        fn nothing_makes_reading_panic(record in "(?s).{0,400}", fields in proptest::collection::vec("[0-9A-Za-z+/=]{0,30}", 0..8)) {
            let _ = (sign(&record), read(&record));
            let _ = read(&["\n", &fields.join("\t")].concat());
        }
    }
}
