//! Who calls, as far as the network tells: the household that a connection is counted for.

use super::lobby::Visit;
use crate::delivery::Household;
use axum::http::HeaderMap;
use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// The other end of a connection.
pub trait Peer {
    /// Its address; `None` where it has none, as in memory.
    fn address(&self) -> Option<IpAddr>;
}

impl Peer for SocketAddr {
    fn address(&self) -> Option<IpAddr> {
        Some(self.ip())
    }
}

/// What the handlers know of the connection that a request came over.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) peer: Option<IpAddr>,
    pub(super) visit: Arc<Visit>,
}

impl Caller {
    /// The household that calls. A proxy that is trusted says for whom it asks: the last address of `X-Forwarded-For`
    /// that is no such proxy. What stands before that anybody can have written. Nobody is counted for this machine
    /// itself, nor for a proxy that does not say for whom it asks.
    pub(super) fn household(&self, headers: &HeaderMap, proxies: &[IpNet]) -> Option<Household> {
        let is_proxy = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
        let peer = self.peer?.to_canonical();
        if is_proxy(&peer) {
            let asked_for = forwarded_for(headers).find(|address| !address.as_ref().is_some_and(is_proxy));
            return asked_for.flatten().map(Household::from);
        }
        (!peer.is_loopback()).then(|| peer.into())
    }
}

/// The addresses of `X-Forwarded-For`, the last one first; `None` for what is no address.
fn forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all("x-forwarded-for").iter().map(|line| line.to_str().unwrap_or_default());
    let entries: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    entries.into_iter().rev().map(|entry| address(entry.trim()))
}

/// An address, with a port or without.
fn address(raw: &str) -> Option<IpAddr> {
    let address = raw.parse().or_else(|_| raw.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const PROXIES: [&str; 2] = ["127.0.0.0/8", "10.0.0.0/8"];

    fn household(peer: &str, forwarded_for: &[&'static str], proxies: &[&str]) -> Option<Household> {
        let caller = Caller { peer: Some(peer.parse().expect("an address")), visit: Arc::default() };
        let mut headers = HeaderMap::new();
        for line in forwarded_for {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let proxies: Vec<IpNet> = proxies.iter().map(|network| network.parse().expect("a network")).collect();
        caller.household(&headers, &proxies)
    }

    fn of(address: &str) -> Option<Household> {
        Some(address.parse::<IpAddr>().expect("an address").into())
    }

    #[test]
    fn without_a_proxy_the_other_end_counts_and_this_machine_does_not() {
        assert_eq!(household("192.0.2.1", &[], &[]), of("192.0.2.1"));
        for here in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(household(here, &[], &[]), None, "{here}");
        }
    }

    #[test]
    fn whoever_is_not_trusted_cannot_say_that_they_are_somebody_else() {
        assert_eq!(household("192.0.2.1", &["198.51.100.7"], &[]), of("192.0.2.1"));
        assert_eq!(household("192.0.2.1", &["198.51.100.7"], &PROXIES), of("192.0.2.1"));
        assert_eq!(household("127.0.0.1", &["198.51.100.7"], &[]), None);
    }

    #[test]
    fn a_trusted_proxy_names_who_asked_it_and_nothing_before_that_is_believed() {
        assert_eq!(household("127.0.0.1", &["198.51.100.7"], &PROXIES), of("198.51.100.7"));
        assert_eq!(household("::ffff:127.0.0.1", &["203.0.113.9, 198.51.100.7"], &PROXIES), of("198.51.100.7"));
        assert_eq!(household("10.1.1.1", &["203.0.113.9", "198.51.100.7:4711,10.2.2.2"], &PROXIES), of("198.51.100.7"));
        assert_eq!(household("10.1.1.1", &["[2001:db8::1]:443"], &PROXIES), of("2001:db8::2"));
        assert_eq!(
            household("127.0.0.1", &["203.0.113.9", "127.0.0.1"], &["127.0.0.1/32", "10.0.0.0/8"]),
            of("203.0.113.9")
        );
    }

    #[test]
    fn a_proxy_that_does_not_say_for_whom_it_asks_is_counted_for_nobody() {
        for unsaid in [&[][..], &["unknown"], &["203.0.113.9, unknown"], &["10.2.2.2"], &[""]] {
            assert_eq!(household("10.1.1.1", unsaid, &PROXIES), None, "{unsaid:?}");
        }
    }
}
