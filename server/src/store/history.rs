//! Questions about a room's log, and how its events lie in the database.

use super::Cut;
use app::protocol::{Chat, Event, Kind, NickName, RoomName, Seq, SocketId, Text, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, types::Type};
use std::error::Error;

/// The number of a room in the database; none when nothing was ever said there.
pub(crate) fn room_id(connection: &Connection, room: &RoomName) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM rooms WHERE name = ?1")?
        .query_row([room.as_str()], |row| row.get(0))
        .optional()
}

/// The newest position of a room, by its number.
pub(crate) fn head_of(connection: &Connection, room: i64) -> rusqlite::Result<Seq> {
    connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM events WHERE room = ?1")?
        .query_row([room], |row| seq(row, 0))
}

/// The newest position of a room.
pub(crate) fn head(connection: &Connection, room: &RoomName) -> rusqlite::Result<Seq> {
    room_id(connection, room)?.map_or(Ok(Seq::ZERO), |id| head_of(connection, id))
}

/// The newest position of a room, and the events of a cut of its log.
pub(super) fn page(
    connection: &Connection,
    room: &RoomName,
    cut: Cut,
    limit: u64,
) -> rusqlite::Result<(Seq, Vec<Event>)> {
    let Some(id) = room_id(connection, room)? else { return Ok((Seq::ZERO, Vec::new())) };
    let head = head_of(connection, id)?;
    let (first, last) = cut.positions(head, limit);
    let events = connection
        .prepare_cached(
            "SELECT seq, message_id, sent, kind, name, socket, body FROM events
             WHERE room = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq",
        )?
        .query_map((id, first.0 as i64, last.0 as i64), |row| event(row, room))?
        .collect::<Result<_, _>>()?;
    Ok((head, events))
}

fn event(row: &Row<'_>, room: &RoomName) -> rusqlite::Result<Event> {
    let read = |column| row.get_ref(column)?.as_str().map_err(|error| unreadable(column, error));
    Ok(Event::Chat(Chat {
        room: room.clone(),
        seq: seq(row, 0)?,
        id: read(1)?.parse().map_err(|error| unreadable(1, error))?,
        sent: Timestamp(row.get::<_, i64>(2)?.unsigned_abs()),
        kind: kind(row.get(3)?),
        author: NickName::parse(read(4)?).map_err(|error| unreadable(4, error))?,
        socket: SocketId(read(5)?.into()),
        text: Text::parse(read(6)?).map_err(|error| unreadable(6, error))?,
    }))
}

fn unreadable(column: usize, error: impl Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

pub(crate) fn seq(row: &Row<'_>, column: usize) -> rusqlite::Result<Seq> {
    row.get::<_, i64>(column).map(|seq| Seq(seq.unsigned_abs()))
}

/// How a kind lies in the database.
pub(crate) fn number_of(kind: Kind) -> i64 {
    match kind {
        Kind::Speech => 0,
        Kind::Action => 1,
    }
}

fn kind(number: i64) -> Kind {
    if number == 1 { Kind::Action } else { Kind::Speech }
}
