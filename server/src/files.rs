//! The files that the process may have open, and what they are shared out to. A connection is one of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{ops::RangeInclusive, thread::available_parallelism};

/// Files that are no connections: the standard streams, listeners, the database and its readers, a backup, a spare one.
const OWN: u64 = 64;

/// Files that the runtime has for each core.
const OWN_PER_CORE: u64 = 4;

/// One file of so many is for connections that ask over HTTP; sockets get the others.
const REQUESTS_SHARE: u64 = 8;

/// Connections that ask over HTTP while sockets have all that is theirs.
const REQUESTS: RangeInclusive<u64> = 16..=1_024;

/// Sockets, where the operator names no number. What they need of memory bounds them as well.
const MOST_SOCKETS: u64 = 100_000;

/// With fewer the operator is told.
const FEW_SOCKETS: usize = 1_000;

/// How many connections there may be at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// Sockets.
    pub(crate) sockets: usize,
    /// Connections that ask over HTTP when every seat is taken; while some are free, those may be used as well.
    pub(crate) requests: usize,
}

/// The process may not have as many files open as it was told to serve connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{sockets} connections need {needed} open files and {limit} are allowed; lower --max-connections or TAPROOM_MAX_CONNECTIONS, \
     or raise the limit with LimitNOFILE in the systemd unit or ulimit -n in the shell"
)]
pub struct TooFewFiles {
    sockets: u64,
    needed: u64,
    limit: u64,
}

/// Raises the limit of open files as far as the process may by itself.
pub fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, ?current, ?maximum, "the limit of open files could not be raised");
    }
}

impl Places {
    /// Shares out what the process may have open now: to as many sockets as are wanted, or as there is place for.
    pub(crate) fn share_out(wanted: Option<u32>) -> Result<Places, TooFewFiles> {
        let cores = available_parallelism().map_or(1, usize::from) as u64;
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let places = share(limit, OWN + OWN_PER_CORE * cores, wanted.map(u64::from))?;
        if wanted.is_none() && places.sockets < FEW_SOCKETS {
            tracing::warn!(
                sockets = places.sockets,
                open_files = limit,
                "few people can be connected: raise the limit of open files, with LimitNOFILE in a systemd unit"
            );
        }
        Ok(places)
    }
}

fn share(limit: u64, own: u64, wanted: Option<u64>) -> Result<Places, TooFewFiles> {
    let requests = (limit / REQUESTS_SHARE).clamp(*REQUESTS.start(), *REQUESTS.end());
    let left = limit.saturating_sub(own + requests);
    let sockets = wanted.unwrap_or(left.clamp(1, MOST_SOCKETS));
    if sockets > left {
        return Err(TooFewFiles { sockets, needed: own + requests + sockets, limit });
    }
    let count = |places: u64| usize::try_from(places).unwrap_or(usize::MAX);
    Ok(Places { sockets: count(sockets), requests: count(requests) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_needed_otherwise_is_for_sockets() {
        assert_eq!(share(128, 72, None), Ok(Places { sockets: 40, requests: 16 }));
        assert_eq!(share(1_024, 72, None), Ok(Places { sockets: 824, requests: 128 }));
        assert_eq!(share(20_000, 72, None), Ok(Places { sockets: 18_904, requests: 1_024 }));
        assert_eq!(share(u64::MAX, 72, None), Ok(Places { sockets: 100_000, requests: 1_024 }));
        assert_eq!(share(u64::MAX, 72, Some(1_000_000)), Ok(Places { sockets: 1_000_000, requests: 1_024 }));
    }

    #[test]
    fn more_than_there_is_place_for_is_refused_with_what_to_change() {
        assert_eq!(share(1_024, 72, Some(824)).map(|places| places.sockets), Ok(824));
        let refused = share(1_024, 72, Some(825)).expect_err("one too many").to_string();
        for word in ["825", "1025", "1024", "--max-connections", "LimitNOFILE"] {
            assert!(refused.contains(word), "{word} is not in: {refused}");
        }
        assert!(share(80, 72, None).is_err(), "not even one");
    }
}
