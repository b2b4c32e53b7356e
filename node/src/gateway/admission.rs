//! Who may open a session now: decided from counts alone, before any token or Redis work.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::config::Limits;

/// Length of the window in which new sessions of an address are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// Addresses counted in one window: a second that brings more is no second of chatting.
const ADDRESSES_MAX: usize = 16_384;

/// Why a session was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// This address opens too many.
    TooMany,
    /// The node is full, is leaving, or is flooded from more addresses than it counts.
    Unavailable,
}

/// Counts new sessions.
#[derive(Debug)]
pub(super) struct Admission {
    limits: Limits,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    counts: HashMap<IpAddr, u32>,
}

impl Admission {
    /// Nobody has come yet.
    #[must_use]
    pub(super) fn new(limits: Limits) -> Self {
        let window = Window { began: Instant::now(), counts: HashMap::new() };
        Self { limits, window: Mutex::new(window) }
    }

    /// Takes one place for a new session from `address` while `open` sessions are open.
    ///
    /// # Errors
    /// The address or the node has had enough.
    pub(super) fn admit(&self, address: IpAddr, open: usize) -> Result<(), Denied> {
        if self.limits.connections != 0 && self.limits.connections <= open {
            return Err(Denied::Unavailable);
        }
        if self.limits.connections_per_address == 0 {
            return Ok(());
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.count(household(address), self.limits.connections_per_address)
    }
}

impl Window {
    fn count(&mut self, address: IpAddr, max: u32) -> Result<(), Denied> {
        if WINDOW <= self.began.elapsed() {
            self.began = Instant::now();
            self.counts.clear();
        }
        if ADDRESSES_MAX <= self.counts.len() && !self.counts.contains_key(&address) {
            return Err(Denied::Unavailable);
        }
        let count = self.counts.entry(address).or_default();
        if max <= *count {
            return Err(Denied::TooMany);
        }
        *count += 1;
        Ok(())
    }
}

/// What counts as one address: an IPv6 client owns its whole /64.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, connections_per_address: u32) -> Admission {
        Admission::new(Limits { connections, connections_per_address, ..Limits::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_opens_so_many_sessions_a_second() {
        let admission = admission(100, 2);
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        assert_eq!(admission.admit(one, 0), Ok(()));
        assert_eq!(admission.admit(one, 0), Ok(()));
        assert_eq!(admission.admit(one, 0), Err(Denied::TooMany));
        assert_eq!(admission.admit(other, 0), Ok(()));
        tokio::time::advance(WINDOW).await;
        assert_eq!(admission.admit(one, 0), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_ipv6_network_is_one_address() {
        let admission = admission(100, 1);
        assert_eq!(admission.admit("2001:db8::1".parse().unwrap(), 0), Ok(()));
        assert_eq!(admission.admit("2001:db8::2".parse().unwrap(), 0), Err(Denied::TooMany));
        assert_eq!(admission.admit("2001:db8:0:1::1".parse().unwrap(), 0), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_node_takes_nobody() {
        let admission = admission(2, 0);
        let address = "192.0.2.1".parse().unwrap();
        assert_eq!(admission.admit(address, 1), Ok(()));
        assert_eq!(admission.admit(address, 2), Err(Denied::Unavailable));
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_of_addresses_is_bounded() {
        let admission = admission(0, 5);
        for n in 0..ADDRESSES_MAX {
            let address = IpAddr::V4(u32::try_from(n).unwrap().into());
            assert_eq!(admission.admit(address, 0), Ok(()));
        }
        let late = "203.0.113.1".parse().unwrap();
        assert_eq!(admission.admit(late, 0), Err(Denied::Unavailable));
        tokio::time::advance(WINDOW).await;
        assert_eq!(admission.admit(late, 0), Ok(()));
    }
}
