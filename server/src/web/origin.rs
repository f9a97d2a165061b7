//! Whether a browser may open a socket here: the exact origins, and nothing that merely looks like them.

use axum::http::{HeaderMap, header};

/// Why a socket is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The page that asks is somebody else's.
    Foreign,
    /// A browser's cookie without the origin that browsers always send.
    CookieWithoutOrigin,
}

/// Checks the `Origin` of an upgrade. `allowed` lists the origins; where it is empty, the one that the request itself
/// came to is allowed. Programs that are no browsers send none, and may come without a cookie.
pub(super) fn check(headers: &HeaderMap, allowed: &[String], has_cookie: bool) -> Result<(), Refused> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return if has_cookie { Err(Refused::CookieWithoutOrigin) } else { Ok(()) };
    };
    let origin = origin.to_str().map_err(|_| Refused::Foreign)?;
    let is_ours = match allowed {
        [] => own_origin(headers).is_some_and(|own| own.eq_ignore_ascii_case(origin)),
        allowed => allowed.iter().any(|one| one.eq_ignore_ascii_case(origin)),
    };
    if is_ours { Ok(()) } else { Err(Refused::Foreign) }
}

/// Where the request came to. A proxy that speaks TLS says so in `X-Forwarded-Proto`; no page can make a browser send
/// that header with an upgrade.
fn own_origin(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let scheme = match text("x-forwarded-proto").map(str::trim) {
        Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
        _ => "http",
    };
    Some(format!("{scheme}://{}", text("host")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn the_own_host_is_allowed_and_nothing_like_it() {
        let ask = |origin| check(&headers(&[("host", "chat.example:3000"), ("origin", origin)]), &[], true);
        assert_eq!(ask("http://chat.example:3000"), Ok(()));
        for foreign in [
            "null",
            "http://evil.chat.example:3000",
            "http://chat.example:3000.evil",
            "http://xchat.example:3000",
            "http://chat.example",
            "http://chat.example:3001",
            "https://chat.example:3000",
            "",
        ] {
            assert_eq!(ask(foreign), Err(Refused::Foreign), "{foreign}");
        }
    }

    #[test]
    fn behind_tls_the_origin_is_https() {
        let host = [("host", "chat.example"), ("x-forwarded-proto", "https")];
        let with = |origin| headers(&[host[0], host[1], ("origin", origin)]);
        assert_eq!(check(&with("https://chat.example"), &[], true), Ok(()));
        assert_eq!(check(&with("http://chat.example"), &[], true), Err(Refused::Foreign));
    }

    #[test]
    fn a_list_replaces_the_host() {
        let allowed = ["https://chat.example".to_owned()];
        let ask = |origin| check(&headers(&[("host", "localhost:3000"), ("origin", origin)]), &allowed, false);
        assert_eq!(ask("https://chat.example"), Ok(()));
        assert_eq!(ask("http://localhost:3000"), Err(Refused::Foreign));
    }

    #[test]
    fn programs_without_origin_come_without_cookie() {
        assert_eq!(check(&headers(&[("host", "a")]), &[], false), Ok(()));
        assert_eq!(check(&headers(&[("host", "a")]), &[], true), Err(Refused::CookieWithoutOrigin));
    }
}
