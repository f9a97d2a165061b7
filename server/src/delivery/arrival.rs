//! Letting somebody in: they get a name, a place in their room and a word where it stands. It takes time, so it is done
//! before a shard has them.

use super::{
    admission::Admitted,
    connection::{status, take_name},
    seats::Seat,
};
use crate::{
    chat::{Chat, Refusal},
    metrics,
    people::{Presence, VisitorId},
    rooms::{From, Subscription},
    store::Unreadable,
    websocket::upgrade::Opened,
};
use app::protocol::{BadName, ErrorFrame, NickName, RoomName, Seq, ServerFrame, SocketId};
use bytes::Bytes;
use std::sync::Arc;

/// What a client said when it came.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    pub(crate) visitor: Option<VisitorId>,
    pub(crate) room: RoomName,
    pub(crate) from: From,
    /// The name that was asked for, or why it is none.
    pub(crate) name: Option<Result<NickName, BadName>>,
    /// Which build serves the pages.
    pub(crate) build: Arc<str>,
}

/// Somebody who was let in, on the way to a shard.
pub(crate) struct Guest {
    pub(super) opened: Opened,
    pub(super) welcome: Welcome,
    /// Their place, and what was read for them there; `None` for who could not enter: they are told why.
    pub(super) seat: Option<(Subscription, Vec<Bytes>)>,
    /// Where the room stands is not known, and nothing is made up: they are to come back.
    pub(super) is_unreadable: bool,
    /// Their place at the door, until a shard has them.
    pub(super) admitted: Admitted,
}

/// What somebody was given at the door.
pub(super) struct Welcome {
    pub(super) id: SocketId,
    pub(super) build: Arc<str>,
    pub(super) who: Presence,
    /// Their place among the server's sockets.
    pub(super) ticket: Seat,
    /// The version of the name that the room and the client know.
    pub(super) name_version: u32,
    pub(super) answers: Vec<ServerFrame>,
}

impl Guest {
    /// Lets somebody in whose socket is open.
    pub(crate) async fn welcome(
        chat: &Chat,
        metrics: &metrics::Delivery,
        opened: Opened,
        arrival: Arrival,
        ticket: Seat,
        admitted: Admitted,
    ) -> Guest {
        let Arrival { visitor, room, from, name, build } = arrival;
        let who = chat.people.arrive(visitor);
        let misnamed = name.and_then(|name| take_name(&who, name).err());
        let name_version = who.version();
        let id = SocketId(ulid::Ulid::from_parts(crate::now().0, rand::random()).to_string().into());
        let (seat, answers, is_unreadable) = match seated(chat, metrics, &who, room.clone(), from).await {
            Err(Refusal::Unreadable) => (None, Vec::new(), true),
            Ok((seat, read)) => {
                let status = status(chat, &id, &build, who.called(), room, seat.began());
                (Some((seat, read)), vec![status], false)
            }
            // Who is not let in is told who they are all the same.
            Err(refusal) => {
                let head = chat.store.head(&room).await.unwrap_or(Seq::ZERO);
                let status = status(chat, &id, &build, who.called(), room.clone(), head);
                let error = Box::new(ErrorFrame { room: Some(room), ..*refusal.into_frame() });
                (None, vec![status, ServerFrame::Error(error)], false)
            }
        };
        let answers = answers.into_iter().chain(misnamed.filter(|_| !is_unreadable).map(told)).collect();
        Guest {
            opened,
            welcome: Welcome { id, build, who, ticket, name_version, answers },
            seat,
            is_unreadable,
            admitted,
        }
    }
}

/// Enters a room and reads on there, as far as the store has to be asked. Who comes back after a restart is waited for
/// here, at the door.
async fn seated(
    chat: &Chat,
    metrics: &metrics::Delivery,
    who: &Presence,
    room: RoomName,
    from: From,
) -> Result<(Subscription, Vec<Bytes>), Refusal> {
    let mut seat = chat.enter(who, room, from.clone()).await?;
    if let Some(result) = seat.resume(&from) {
        metrics.resumed(result);
    }
    let read = match seat.stored_ahead() {
        Some(replaying) => replaying.await.map_err(|Unreadable| Refusal::Unreadable)?,
        None => Vec::new(),
    };
    seat.advance(read.len());
    Ok((seat, read))
}

fn told(refusal: Refusal) -> ServerFrame {
    ServerFrame::Error(refusal.into_frame())
}
