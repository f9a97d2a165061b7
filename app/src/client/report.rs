//! The connection report, for people who wonder and for those who help them.

use super::session::{Link, Session};

/// What is known of the connection, in lines of a name and a value.
pub(super) fn lines(session: &Session, now: u64) -> Vec<(&'static str, String)> {
    let millis = |millis: u64| [&millis.to_string(), " ms"].concat();
    let state = match session.link() {
        Link::Connecting(_) => "connecting".to_owned(),
        Link::Connected => "connected".to_owned(),
        Link::Waiting(at) => ["disconnected, trying again in ", &millis(at.saturating_sub(now))].concat(),
        Link::Away(why) => ["disconnected: ", why].concat(),
    };
    let unknown = || "not measured yet".to_owned();
    vec![
        ("State", state),
        ("Transport", "WebSocket, text frames".to_owned()),
        ("Socket", session.socket().map_or_else(|| "none yet".to_owned(), ToString::to_string)),
        ("Connections so far", session.connections().to_string()),
        ("Round trip", session.round_trip().map_or_else(unknown, millis)),
        ("Last resume", resume(session)),
        ("Waiting messages", session.waiting().to_string()),
        ("Clock", clock(session)),
        ("Server", session.build().to_owned()),
        ("Client", env!("CARGO_PKG_VERSION").to_owned()),
    ]
}

fn resume(session: &Session) -> String {
    let resume = session.resume();
    let mut text = [&resume.replayed.to_string(), " replayed, "].concat();
    if resume.skipped == 0 {
        text.push_str("no gap");
    } else {
        text.extend(["a gap of ", &resume.skipped.to_string()]);
    }
    text
}

fn clock(session: &Session) -> String {
    if session.connections() == 0 {
        return "not compared yet".to_owned();
    }
    let skew = session.skew();
    let which = if skew < 0 { " ms ahead of the server" } else { " ms behind the server" };
    [&skew.unsigned_abs().to_string(), which].concat()
}
