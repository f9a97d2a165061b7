//! The cookies: which browser this is, what it is called, how it likes the page.

use crate::people::VisitorId;
use app::{pages::Theme, protocol::NickName};
use axum::http::{HeaderMap, header};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

/// Tells a browser from others. Only the server reads it.
const VISITOR: &str = "taproom_visitor";

/// The name that the person chose last; the page writes it.
const NAME: &str = "taproom_name";

/// The colours that the person chose; the page writes it.
const THEME: &str = "taproom_theme";

/// Length of a visitor's id: 128 random bits in hexadecimal.
const ID_LETTERS: usize = 32;

/// The visitor that the request's cookie tells, if it is one of ours by its shape.
pub(super) fn visitor(jar: &CookieJar) -> Option<VisitorId> {
    let id = jar.get(VISITOR)?.value();
    let is_ours = id.len() == ID_LETTERS && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    u128::from_str_radix(id, 16).ok().filter(|_| is_ours).map(VisitorId::from)
}

/// The name that this browser used last.
pub(super) fn name(jar: &CookieJar) -> Option<NickName> {
    let raw = jar.get(NAME)?.value();
    NickName::parse(&percent_encoding::percent_decode_str(raw).decode_utf8().ok()?).ok()
}

/// The colours that this browser wants.
pub(super) fn theme(jar: &CookieJar) -> Theme {
    Theme::of_cookie(jar.get(THEME).map(Cookie::value))
}

/// Gives a new visitor their cookie; an old one keeps theirs.
pub(super) fn welcome(jar: CookieJar, headers: &HeaderMap) -> CookieJar {
    if visitor(&jar).is_some() {
        return jar;
    }
    let id = format!("{:032x}", rand::random::<u128>());
    let is_tls = headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
    let cookie =
        Cookie::build((VISITOR, id)).path("/").http_only(true).same_site(SameSite::Lax).secure(is_tls).permanent();
    jar.add(cookie)
}

/// Whether the request carries any cookie at all.
pub(super) fn has_cookie(headers: &HeaderMap) -> bool {
    headers.contains_key(header::COOKIE)
}
