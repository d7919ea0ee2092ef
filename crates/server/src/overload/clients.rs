//! Clients by address, without a map: each falls into one of many buckets. Two in one bucket share their bound, nothing else.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

const BUCKETS: usize = 4096;
/// An IPv6 client has at least this much of the address space to itself.
const V6_NETWORK: u128 = !0 << 64;

/// Where a client is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client(usize);

/// Finds clients by address. Its hash has a key of its own, so that nobody can choose an address that falls together with
/// another's.
#[derive(Debug)]
pub(super) struct Clients(RandomState);

/// How many places each client has.
#[derive(Debug)]
pub(super) struct Shares(Box<[AtomicUsize]>);

impl Clients {
    pub(super) fn new() -> Self {
        Self(RandomState::new())
    }

    pub(super) fn find(&self, address: IpAddr) -> Client {
        let hash = self.0.hash_one(network_of(address));
        Client(usize::try_from(hash % BUCKETS as u64).unwrap_or(0))
    }
}

/// The network that a client has to itself: its address, an IPv6 one without what it may choose freely.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & V6_NETWORK)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Shares {
    pub(super) fn new() -> Self {
        Self((0..BUCKETS).map(|_| AtomicUsize::new(0)).collect())
    }

    /// Takes a place if the client has fewer than `most`.
    pub(super) fn take(&self, client: Client, most: usize) -> bool {
        let taken = self.0[client.0].fetch_add(1, Ordering::Relaxed) < most;
        if !taken {
            self.give_back(client);
        }
        taken
    }

    pub(super) fn give_back(&self, client: Client) {
        self.0[client.0].fetch_sub(1, Ordering::Relaxed);
    }
}
