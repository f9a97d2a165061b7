//! How many sockets there may be, in all and of one household.

use super::pace::Pace;
use crate::{config::Serve, files::Places, metrics::Reason};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};
use tokio::sync::OwnedSemaphorePermit;

/// The addresses that are counted as one. Whoever has an IPv6 address has the whole network of it, 64 bits and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Household {
    /// One IPv4 address.
    Address(Ipv4Addr),
    /// The first 64 bits of an IPv6 address.
    Network([u8; 8]),
}

impl From<IpAddr> for Household {
    fn from(address: IpAddr) -> Household {
        match address.to_canonical() {
            IpAddr::V4(address) => Household::Address(address),
            IpAddr::V6(address) => Household::Network(*address.octets().first_chunk().expect("it has 16 bytes")),
        }
    }
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoSeat {
    /// All are taken.
    Full,
    /// This household has as many as it may.
    TooManyOfOne,
}

impl From<NoSeat> for Reason {
    fn from(none: NoSeat) -> Reason {
        match none {
            NoSeat::Full => Reason::ServerFull,
            NoSeat::TooManyOfOne => Reason::AddressFull,
        }
    }
}

/// The seats of this server. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Seats(Arc<Inner>);

struct Inner {
    seats: usize,
    seats_of_one: u32,
    /// How fast whoever sits may send.
    pace: Pace,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    count: usize,
    /// Never zero: a household that nobody of is here is forgotten.
    by_household: HashMap<Household, u32>,
}

/// One socket's seat. Dropping it gives it back.
pub(crate) struct Seat {
    /// How fast this socket may send.
    pub(super) pace: Pace,
    household: Option<Household>,
    /// The connection's open file, where files are counted.
    file: Option<OwnedSemaphorePermit>,
    seats: Seats,
}

impl Seats {
    pub(crate) fn new(config: &Serve, places: Places) -> Seats {
        Seats(Arc::new(Inner {
            seats: places.sockets,
            seats_of_one: config.max_connections_per_address,
            pace: Pace::new(config.pace()),
            taken: Mutex::default(),
        }))
    }

    /// Takes a seat, counted for a household where it is known.
    pub(crate) fn take(&self, household: Option<Household>) -> Result<Seat, NoSeat> {
        let mut taken = self.0.taken.lock();
        if taken.count >= self.0.seats {
            return Err(NoSeat::Full);
        }
        if let Some(household) = household {
            let of_one = taken.by_household.get(&household).copied().unwrap_or(0);
            if of_one >= self.0.seats_of_one {
                return Err(NoSeat::TooManyOfOne);
            }
            taken.by_household.insert(household, of_one + 1);
        }
        taken.count += 1;
        Ok(Seat { pace: self.0.pace.clone(), household, file: None, seats: self.clone() })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.0.taken.lock().count
    }

    pub(crate) fn are_full(&self) -> bool {
        self.taken() >= self.0.seats
    }
}

impl Seat {
    /// Keeps the connection's open file for as long as the seat is taken.
    pub(crate) fn keep(&mut self, file: Option<OwnedSemaphorePermit>) {
        self.file = file;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.taken.lock();
        taken.count -= 1;
        let Some(household) = self.household else { return };
        if let Some(of_one) = taken.by_household.get_mut(&household) {
            *of_one -= 1;
            if *of_one == 0 {
                taken.by_household.remove(&household);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(sockets: usize, of_one: u32) -> Seats {
        let config = Serve { max_connections_per_address: of_one, ..Serve::default() };
        Seats::new(&config, Places { sockets, requests: 1 })
    }

    fn household(address: &str) -> Option<Household> {
        Some(address.parse::<IpAddr>().expect("an address").into())
    }

    #[test]
    fn when_all_are_taken_one_that_is_given_back_is_there_again() {
        let seats = seats(2, 9);
        let (one, _two) =
            (seats.take(None).expect("the first"), seats.take(household("192.0.2.1")).expect("the second"));
        assert_eq!(seats.take(None).err(), Some(NoSeat::Full));
        assert!(seats.are_full());
        drop(one);
        assert!(!seats.are_full());
        assert!(seats.take(None).is_ok());
    }

    #[test]
    fn one_household_has_so_many_and_is_forgotten_with_its_last() {
        let seats = seats(9, 1);
        let one = seats.take(household("192.0.2.1")).expect("its first");
        assert_eq!(seats.take(household("192.0.2.1")).err(), Some(NoSeat::TooManyOfOne));
        assert_eq!(seats.take(household("::ffff:192.0.2.1")).err(), Some(NoSeat::TooManyOfOne), "the same address");
        let _other = seats.take(household("192.0.2.2")).expect("another's first");
        let _unknown = [seats.take(None).expect("not counted"), seats.take(None).expect("not counted")];
        drop(one);
        assert_eq!(seats.0.taken.lock().by_household.len(), 1);
        assert!(seats.take(household("192.0.2.1")).is_ok());
    }

    #[test]
    fn an_ipv6_address_counts_with_its_network() {
        let seats = seats(9, 1);
        let _one = seats.take(household("2001:db8::1")).expect("its first");
        assert_eq!(seats.take(household("2001:db8::ffff:2")).err(), Some(NoSeat::TooManyOfOne));
        assert!(seats.take(household("2001:db8:0:1::1")).is_ok());
    }
}
