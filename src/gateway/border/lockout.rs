//! Counts failures, so that nobody tries codes without end.
//!
//! Each class of credentials counts for itself: whoever fails with tokens does not shut out who has a link. Where a
//! good credential is let through all the same is for the caller to say; a 256-bit token needs no protection, so only
//! what is short-lived and asked for by hand, the code of a link, is refused unseen.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Failures of one address in one class within a [`WINDOW`] before it is locked out.
pub(super) const FORGIVEN: usize = 10;

/// Within so long failures count together.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// So long a lock-out lasts.
pub(super) const LOCKED: Duration = Duration::from_secs(60);

/// Addresses that are remembered, about 1 MiB; where one more fails, the one that was noted first is forgotten.
pub(super) const ADDRESSES: usize = 10_000;

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Class {
    Bearer,
    Cookie,
    Login,
    Claim,
}

const CLASSES: usize = 4;

#[derive(Debug, Clone, Copy)]
struct Count {
    since: Instant,
    failures: usize,
    /// Locked out until then.
    until: Option<Instant>,
}

/// Who failed how often.
#[derive(Debug, Default)]
pub(super) struct Lockout {
    addresses: HashMap<IpAddr, [Option<Count>; CLASSES]>,
    /// In the order in which they were first noted.
    order: VecDeque<IpAddr>,
}

/// One who is given a network of IPv6 addresses is one all the same.
fn one(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

impl Lockout {
    /// How long the address is still locked out of the class, if it is.
    pub(super) fn locked(&self, address: IpAddr, class: Class, now: Instant) -> Option<Duration> {
        let count = self.addresses.get(&one(address))?[class as usize]?;
        let left = count.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Notes a failure.
    pub(super) fn failed(&mut self, address: IpAddr, class: Class, now: Instant) {
        let address = one(address);
        if !self.addresses.contains_key(&address) {
            if self.order.len() >= ADDRESSES
                && let Some(oldest) = self.order.pop_front()
            {
                self.addresses.remove(&oldest);
            }
            self.order.push_back(address);
        }
        let count = &mut self.addresses.entry(address).or_default()[class as usize];
        let fresh = Count { since: now, failures: 0, until: None };
        let over = |count: &Count| match count.until {
            Some(until) => until <= now,
            None => now.saturating_duration_since(count.since) >= WINDOW,
        };
        let mut next = count.filter(|count| !over(count)).unwrap_or(fresh);
        next.failures += 1;
        if next.failures >= FORGIVEN && next.until.is_none() {
            next.until = Some(now + LOCKED);
        }
        *count = Some(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const BOB: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
    const SECOND: Duration = Duration::from_secs(1);

    fn fail(lockout: &mut Lockout, times: usize, now: Instant) {
        (0..times).for_each(|_| lockout.failed(ADA, Class::Claim, now));
    }

    #[test]
    fn ten_failures_within_a_minute_lock_an_address_out_of_one_class_for_a_minute() {
        let (mut lockout, start) = (Lockout::default(), Instant::now());
        fail(&mut lockout, FORGIVEN - 1, start);
        assert_eq!(lockout.locked(ADA, Class::Claim, start), None);
        let last = start + WINDOW - SECOND;
        fail(&mut lockout, 1, last);
        assert_eq!(lockout.locked(ADA, Class::Claim, last), Some(LOCKED));
        for class in [Class::Bearer, Class::Cookie, Class::Login] {
            assert_eq!(lockout.locked(ADA, class, last), None, "{class:?}");
        }
        assert_eq!(lockout.locked(BOB, Class::Claim, last), None);
        fail(&mut lockout, 100, last + SECOND);
        assert_eq!(lockout.locked(ADA, Class::Claim, last + LOCKED - SECOND), Some(SECOND), "more does not prolong it");
        assert_eq!(lockout.locked(ADA, Class::Claim, last + LOCKED), None);
        fail(&mut lockout, FORGIVEN - 1, last + LOCKED);
        assert_eq!(lockout.locked(ADA, Class::Claim, last + LOCKED), None, "the count begins anew");
    }

    #[test]
    fn failures_that_are_far_apart_do_not_count_together() {
        let (mut lockout, mut now) = (Lockout::default(), Instant::now());
        for _ in 0..20 {
            fail(&mut lockout, FORGIVEN - 1, now);
            assert_eq!(lockout.locked(ADA, Class::Claim, now), None);
            now += WINDOW;
        }
    }

    #[test]
    fn so_many_addresses_are_remembered_and_the_oldest_is_forgotten() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        fail(&mut lockout, FORGIVEN, now);
        let stranger = |number: usize| IpAddr::from(u32::try_from(number).expect("few").to_be_bytes());
        for number in 1..ADDRESSES {
            lockout.failed(stranger(number), Class::Bearer, now);
        }
        assert!(lockout.locked(ADA, Class::Claim, now).is_some());
        for number in ADDRESSES..3 * ADDRESSES {
            lockout.failed(stranger(number), Class::Bearer, now);
        }
        assert_eq!(lockout.locked(ADA, Class::Claim, now), None);
        assert_eq!((lockout.addresses.len(), lockout.order.len()), (ADDRESSES, ADDRESSES));
    }

    #[test]
    fn a_network_of_addresses_is_one() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        for host in 0..10_u128 {
            let address = IpAddr::V6((0x2001_0db8_u128 << 96 | host).into());
            lockout.failed(address, Class::Claim, now);
        }
        assert!(lockout.locked("2001:db8::ffff".parse().expect("an address"), Class::Claim, now).is_some());
        assert_eq!(lockout.locked("2001:db8:0:1::1".parse().expect("an address"), Class::Claim, now), None);
        assert_eq!(one("::ffff:192.0.2.1".parse().expect("an address")), ADA);
    }
}
