//! Addresses: which room a page's address means, and the addresses of rooms, history and the socket.

use super::room::HistoryRequest;
use crate::protocol::{Epoch, NickName, RoomName, Seq};

/// The address of a room's page.
pub(crate) fn room_path(room: &RoomName) -> String {
    match room.as_str() {
        // A browser resolves these as steps in a path, however they are encoded.
        dots @ ("." | "..") => ["/?room=", dots].concat(),
        name => ["/r/", &encoded(name)].concat(),
    }
}

/// The room that an address means; none when it is not the address of a room.
pub(crate) fn room_of(path: &str, query: &str) -> Option<RoomName> {
    if let Some(name) = path.strip_prefix("/r/") {
        return RoomName::parse(&decoded(name.trim_end_matches('/'), false)?).ok();
    }
    if path != "/" {
        return None;
    }
    let parameters = query.trim_start_matches('?').split('&');
    let room = parameters.filter_map(|parameter| parameter.strip_prefix("room=")).next();
    let room = room.and_then(|value| decoded(value, true));
    RoomName::of_parameter(room.as_deref()).ok()
}

/// The query of the socket's address.
pub(crate) fn socket_query(room: &RoomName, cursor: Option<(Seq, &Epoch)>, name: Option<&NickName>) -> String {
    let mut query = ["room=", &encoded(room.as_str())].concat();
    if let Some((after, epoch)) = cursor {
        query.extend(["&after=", &after.to_string(), "&epoch=", &encoded(&epoch.0)]);
    }
    if let Some(name) = name {
        query.extend(["&name=", &encoded(name.as_str())]);
    }
    query
}

/// Where a page of history is loaded from.
pub(crate) fn history_path(request: &HistoryRequest) -> String {
    let limit = super::timeline::PAGE_EVENTS.to_string();
    let mut path = ["/api/v1/rooms/", &encoded(request.room.as_str()), "/events?limit=", &limit].concat();
    if let Some(before) = request.before {
        path.extend(["&before=", &before.to_string()]);
    }
    path
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub(crate) fn encoded(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            encoded.extend(['%', char::from(digits[0]), char::from(digits[1])]);
        }
    }
    encoded
}

/// Undoes percent-encoding; in a query a plus sign is a space. None when the result is not UTF-8.
pub(crate) fn decoded(text: &str, in_query: bool) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' if in_query => b' ',
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).expect("a room name")
    }

    #[test]
    fn the_tutorials_addresses_and_the_pretty_ones_mean_rooms() {
        assert_eq!(room_of("/", ""), Some(room("default")));
        assert_eq!(room_of("/", "?room="), Some(room("default")));
        assert_eq!(room_of("/", "?x=1&room=two+words%21"), Some(room("two words!")));
        assert_eq!(room_of("/r/caf%C3%A9", ""), Some(room("café")));
        assert_eq!(room_of("/r/a%2Fb", ""), Some(room("a/b")));
        for other in ["/r/", "/r/%E9", "/r/%0a", "/about", "/rx"] {
            assert_eq!(room_of(other, ""), None, "{other}");
        }
    }

    #[test]
    fn the_socket_is_asked_for_a_room_a_position_and_a_name() {
        let epoch = Epoch("e&1".into());
        let ada = NickName::parse("Ada L").expect("a name");
        assert_eq!(socket_query(&room("a b"), None, None), "room=a%20b");
        let query = socket_query(&room("x"), Some((Seq(7), &epoch)), Some(&ada));
        assert_eq!(query, "room=x&after=7&epoch=e%261&name=Ada%20L");
    }

    #[test]
    fn history_is_asked_for_by_pages() {
        let request = HistoryRequest { room: room("a/b"), before: Some(Seq(51)) };
        assert_eq!(history_path(&request), "/api/v1/rooms/a%2Fb/events?limit=50&before=51");
    }

    proptest! {
        #[test]
        fn every_room_has_an_address(name in "\\PC{1,64}") {
            if let Ok(room) = RoomName::parse(&name) {
                let address = room_path(&room);
                let (path, query) = address.split_once('?').unwrap_or((&address, ""));
                prop_assert_eq!(room_of(path, query), Some(room));
            }
        }

        #[test]
        fn no_address_makes_reading_panic(path in "\\PC{0,80}", query in "\\PC{0,80}") {
            let _ = room_of(&path, &query);
            let _ = room_of(&["/r/", &path].concat(), &query);
        }
    }
}
