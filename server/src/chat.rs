//! The rules: who may say what, where and how fast. What passes goes to the journal.

mod refusal;

use crate::{
    journal::{self, AuthorKey, Draft, Journal, Kept, NotKept},
    people::{People, Presence, Skeleton},
    rooms::{From, Rooms, Subscription},
    store::Store,
};
use app::protocol::{Kind, MessageId, NickName, RoomName, SocketId, Text};
pub use refusal::Refusal;
use sha2::{Digest, Sha256};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// What every door asks before it does something. Cloning is cheap.
#[derive(Clone)]
pub struct Chat {
    /// Everybody connected.
    pub people: People,
    /// The open rooms.
    pub rooms: Rooms,
    /// What was written.
    pub store: Store,
    journal: Journal,
}

/// A message that somebody wants to post.
#[derive(Debug)]
pub struct Post {
    /// Where.
    pub room: RoomName,
    /// What the author wants to be called; heard only while they have no name.
    pub author: Option<String>,
    /// What is said.
    pub text: Text,
    /// How it is meant.
    pub kind: Kind,
    /// The identity that the author's client chose.
    pub id: MessageId,
}

/// A message on its way to the log.
#[derive(Debug)]
pub struct Posting {
    answer: journal::Answer,
}

impl Chat {
    /// The rules over a journal, and what they ask.
    pub fn new(people: People, rooms: Rooms, store: Store, journal: Journal) -> Chat {
        Chat { people, rooms, store, journal }
    }

    /// Lets somebody into a room.
    pub fn enter(
        &self,
        who: &Presence,
        room: RoomName,
        from: From,
    ) -> impl Future<Output = Result<Subscription, Refusal>> + Send + 'static {
        let (rooms, person) = (self.rooms.clone(), (who.id(), who.called().name));
        async move { Ok(rooms.enter(&room, person, &from).await?) }
    }

    /// Counts one deed against the person's limit. Entering rooms and taking names cost as much as a message.
    pub fn spend(&self, who: &Presence) -> Result<(), Refusal> {
        who.spend_message().map_err(|retry_in| Refusal::TooFast { retry_in })
    }

    /// Accepts a message, or says why not. Messages of one person are kept in the order of the calls.
    pub fn post(&self, who: &Presence, socket: &SocketId, post: Post) -> Result<Posting, Refusal> {
        self.spend(who)?;
        let name = name_of(who, post.author.as_deref())?;
        let draft = Draft {
            author: author_key(who, &name),
            name,
            socket: socket.clone(),
            room: post.room,
            id: post.id,
            text: post.text,
            kind: post.kind,
        };
        Ok(Posting { answer: self.journal.append(draft)? })
    }
}

/// The name that a message is said under. Who has none yet takes the one that the message brings: so the tutorial's
/// clients get theirs.
fn name_of(who: &Presence, author: Option<&str>) -> Result<NickName, Refusal> {
    let called = who.called();
    match author.map(str::trim) {
        Some(wanted) if !called.named && !wanted.is_empty() && wanted != called.name.as_str() => {
            let name = NickName::parse(wanted)?;
            who.take_name(name.clone())?;
            Ok(name)
        }
        _ => Ok(called.name),
    }
}

/// A browser is known by its cookie. Whoever has none is known by name, so that a client that lost its connection
/// may send again what was not acknowledged.
fn author_key(who: &Presence, name: &NickName) -> AuthorKey {
    let lasting = match who.visitor() {
        Some(visitor) => format!("visitor {visitor}"),
        None => format!("name {}", Skeleton::of(name).as_str()),
    };
    AuthorKey { person: who.id().0, lasting: digest(&lasting) }
}

/// What is kept of an author: enough to know them again, and no cookie that somebody could use who reads a backup.
fn digest(lasting: &str) -> [u8; AuthorKey::DIGEST] {
    let mut digest = [0; AuthorKey::DIGEST];
    digest.copy_from_slice(&Sha256::digest(lasting)[..AuthorKey::DIGEST]);
    digest
}

impl Posting {
    /// Ready when the message is kept and shown, or refused.
    pub fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Kept, Refusal>> {
        // The writer is gone only while the server stops. The author sends again, with the same id.
        let answer = Pin::new(&mut self.answer).poll(cx).map(|answer| answer.unwrap_or(Err(NotKept::Busy)));
        answer.map_err(Refusal::from)
    }
}
