//! Counts what callers and addresses do, a minute at a time.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(60);
/// How many names are remembered.
const MOST: usize = 10_000;
/// The part of an IPv6 address that names a network: whoever has one address of it has all.
const NETWORK: u128 = !(u64::MAX as u128);

/// How often each name was counted in its current period.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<Periods>);

#[derive(Debug, Default)]
struct Periods {
    counts: HashMap<Arc<str>, u32>,
    /// When the period of each name began, the oldest first.
    begun: VecDeque<(Instant, Arc<str>)>,
}

impl Counts {
    /// Counts a name once more, and returns how often it was counted.
    pub(crate) fn count(&self, name: &str) -> u32 {
        self.count_at(name, Instant::now())
    }

    fn count_at(&self, name: &str, now: Instant) -> u32 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((since, _)) = all.begun.front()
            && now.duration_since(*since) >= PERIOD
        {
            all.forget_oldest();
        }
        if let Some(count) = all.counts.get_mut(name) {
            *count = count.saturating_add(1);
            return *count;
        }
        if all.counts.len() >= MOST {
            all.forget_oldest();
        }
        let name: Arc<str> = name.into();
        all.begun.push_back((now, Arc::clone(&name)));
        all.counts.insert(name, 1);
        1
    }
}

impl Periods {
    fn forget_oldest(&mut self) {
        if let Some((_, name)) = self.begun.pop_front() {
            self.counts.remove(&name);
        }
    }
}

/// Returns what an address is counted as: an IPv4 address as itself, one of IPv6 as its network of 64 bits.
pub(crate) fn network(address: Option<&str>) -> String {
    let address = address.unwrap_or_default();
    match address.parse() {
        Ok(IpAddr::V6(address)) => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
        Ok(IpAddr::V4(_)) | Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_from_anew_after_its_period() {
        let (counts, begin) = (Counts::default(), Instant::now());
        assert_eq!(counts.count_at("a", begin), 1);
        assert_eq!(counts.count_at("a", begin + PERIOD / 2), 2);
        assert_eq!(counts.count_at("b", begin + PERIOD / 2), 1);
        assert_eq!(counts.count_at("a", begin + PERIOD), 1);
        assert_eq!(counts.count_at("b", begin + PERIOD), 2);
    }

    #[test]
    fn of_too_many_names_the_oldest_is_forgotten_and_no_other() {
        let counts = Counts::default();
        for name in 0..=MOST {
            assert_eq!(counts.count(&name.to_string()), 1);
        }
        for name in 1..=MOST {
            assert_eq!(counts.count(&name.to_string()), 2, "{name}");
        }
        assert_eq!(counts.count("0"), 1);
    }

    #[test]
    fn addresses_of_one_network_count_together() {
        let one = network(Some("2001:db8:0:1::7"));
        assert_eq!(one, "2001:db8:0:1::/64");
        assert_eq!(one, network(Some("2001:db8:0:1:ffff::1")));
        assert_ne!(one, network(Some("2001:db8:0:2::7")));
        assert_ne!(network(Some("192.0.2.1")), network(Some("192.0.2.2")));
    }
}
