//! Addresses: what a page's address leads to, and the addresses of rooms, messages, history and the socket.

use super::{room::HistoryRequest, timeline::Stretch};
use crate::protocol::{Epoch, NickName, RoomName, Seq};

/// The address of a room's page.
pub(crate) fn room_path(room: &RoomName) -> String {
    match room.as_str() {
        // A browser resolves these as steps in a path, however they are encoded.
        dots @ ("." | "..") => ["/?room=", dots].concat(),
        name => ["/r/", &encoded(name)].concat(),
    }
}

/// The address of a message: its room's page, opened where the message is.
pub(crate) fn message_path(room: &RoomName, seq: Seq) -> String {
    let room = room_path(room);
    let step = if room.starts_with("/?") { "&m=" } else { "/m/" };
    [&room, step, &seq.to_string()].concat()
}

/// What an address leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) room: RoomName,
    /// A message in it; without one, the newest.
    pub(crate) message: Option<Seq>,
}

impl Spot {
    /// The newest messages of a room.
    pub(crate) fn newest(room: RoomName) -> Spot {
        Spot { room, message: None }
    }

    /// Where an address of this site leads to; none when that is neither a room nor a message.
    pub(crate) fn of(path: &str, query: &str) -> Option<Spot> {
        if let Some(rest) = path.strip_prefix("/r/") {
            let (room, message) = match rest.trim_end_matches('/').split_once('/') {
                Some((room, rest)) => (room, Some(rest.strip_prefix("m/")?)),
                None => (rest.trim_end_matches('/'), None),
            };
            return Spot::parse(RoomName::parse(&decoded(room, false)?).ok()?, message);
        }
        if path != "/" {
            return None;
        }
        let parameter = |name: &str| {
            let parameters = query.trim_start_matches('?').split('&');
            parameters.filter_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('=')).next()
        };
        let room = parameter("room").and_then(|value| decoded(value, true));
        Spot::parse(RoomName::of_parameter(room.as_deref()).ok()?, parameter("m"))
    }

    /// Where a link in a page leads to, when it is one of the site that the page came from.
    pub(crate) fn of_link(href: &str, origin: &str) -> Option<Spot> {
        let path = href.strip_prefix(origin).unwrap_or(href);
        let path = path.split('#').next().filter(|path| path.starts_with('/') && !path.starts_with("//"))?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Spot::of(path, query)
    }

    pub(crate) fn path(&self) -> String {
        match self.message {
            Some(seq) => message_path(&self.room, seq),
            None => room_path(&self.room),
        }
    }

    fn parse(room: RoomName, message: Option<&str>) -> Option<Spot> {
        match message.map(|message| message.parse().map(Seq)) {
            Some(Ok(seq)) => Some(Spot { room, message: Some(seq) }),
            Some(Err(_)) => None,
            None => Some(Spot::newest(room)),
        }
    }
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
    let mut path = match request.room.as_str() {
        dots @ ("." | "..") => ["/api/v1/events?room=", dots, "&limit="].concat(),
        name => ["/api/v1/rooms/", &encoded(name), "/events?limit="].concat(),
    };
    path.push_str(&limit);
    let (name, seq) = match request.stretch {
        Stretch::Newest => return path,
        Stretch::Before(seq) => ("&before=", seq),
        Stretch::After(seq) => ("&after=", seq),
        Stretch::Around(seq) => ("&around=", seq),
    };
    path.extend([name, &seq.to_string()]);
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
        let of = |path, query| Spot::of(path, query).filter(|spot| spot.message.is_none()).map(|spot| spot.room);
        assert_eq!(of("/", ""), Some(room("default")));
        assert_eq!(of("/", "?room="), Some(room("default")));
        assert_eq!(of("/", "?x=1&room=two+words%21"), Some(room("two words!")));
        assert_eq!(of("/r/caf%C3%A9", ""), Some(room("café")));
        assert_eq!(of("/r/caf%C3%A9/", ""), Some(room("café")));
        assert_eq!(of("/r/a%2Fb", ""), Some(room("a/b")));
        assert_eq!(of("/r/a%2Fm%2F5", ""), Some(room("a/m/5")));
        for other in ["/r/", "/r/%E9", "/r/%0a", "/about", "/rx", "/r/a/b", "/r//m/5"] {
            assert_eq!(Spot::of(other, ""), None, "{other}");
        }
    }

    #[test]
    fn a_message_has_an_address_in_its_room() {
        let spot = |name, seq| Some(Spot { room: room(name), message: Some(Seq(seq)) });
        assert_eq!(Spot::of("/r/a%2Fb/m/17", ""), spot("a/b", 17));
        assert_eq!(Spot::of("/r/x/m/17/", ""), spot("x", 17));
        assert_eq!(Spot::of("/", "?room=..&m=3"), spot("..", 3));
        for other in ["/r/x/m/", "/r/x/m/one", "/r/x/m/-1", "/r/x/m/1/2", "/r/x/n/1", "/r/x/m/18446744073709551616"] {
            assert_eq!(Spot::of(other, ""), None, "{other}");
        }
        assert_eq!(Spot::of("/", "?room=x&m=one"), None);
    }

    #[test]
    fn a_link_is_followed_inside_only_if_it_is_of_this_site() {
        let here = "https://chat.example";
        let of = |href| Spot::of_link(href, here).map(|spot| spot.path());
        assert_eq!(of("/r/x/m/5").as_deref(), Some("/r/x/m/5"));
        assert_eq!(of("https://chat.example/r/x/m/5#top").as_deref(), Some("/r/x/m/5"));
        assert_eq!(of("https://chat.example/?room=.").as_deref(), Some("/?room=."));
        for other in ["https://chat.example.org/r/x", "https://else.example/r/x", "//else.example/r/x", "r/x", "#x"] {
            assert_eq!(of(other), None, "{other}");
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
        let path = |stretch| HistoryRequest { room: room("a/b"), stretch }.path();
        assert_eq!(path(Stretch::Newest), "/api/v1/rooms/a%2Fb/events?limit=50");
        assert_eq!(path(Stretch::Before(Seq(51))), "/api/v1/rooms/a%2Fb/events?limit=50&before=51");
        assert_eq!(path(Stretch::After(Seq(50))), "/api/v1/rooms/a%2Fb/events?limit=50&after=50");
        assert_eq!(path(Stretch::Around(Seq(9))), "/api/v1/rooms/a%2Fb/events?limit=50&around=9");
        let dots = HistoryRequest { room: room(".."), stretch: Stretch::Newest };
        assert_eq!(dots.path(), "/api/v1/events?room=..&limit=50");
    }

    proptest! {
        #[test]
        fn every_room_and_every_message_has_an_address(
            name in "\\PC{1,64}|\\.|\\.\\.",
            message in proptest::option::of(any::<u64>().prop_map(Seq)),
        ) {
            if let Ok(room) = RoomName::parse(&name) {
                let spot = Spot { room, message };
                prop_assert_eq!(Spot::of_link(&spot.path(), "https://chat.example"), Some(spot));
            }
        }

        #[test]
        fn no_address_makes_reading_panic(path in "\\PC{0,80}", query in "\\PC{0,80}") {
            let _ = Spot::of(&path, &query);
            let _ = Spot::of(&["/r/", &path].concat(), &query);
            let _ = Spot::of_link(&path, &query);
        }
    }
}
