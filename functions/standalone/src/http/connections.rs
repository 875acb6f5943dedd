//! The open connections, and which one makes room when the limit is reached.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::body::AtEnd;
use super::proxies::Proxies;

/// How often the log reports that connections are refused.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How long a connection may wait for its client before it has to make room for another one.
const PATIENCE: Duration = Duration::from_secs(5);

/// The connections of a server: at most `limit` in total, and at most half of that from one address.
///
/// At the limit, the connection that has waited longest for its client, for a request or the rest of one, is asked to leave.
/// A connection whose request is being answered stays. All clients on this machine share one address, and so do all clients of a
/// trusted proxy, so only the total limit applies to them.
#[derive(Clone)]
pub(super) struct Connections {
    open: Arc<Mutex<Open>>,
    left: Arc<Notify>,
    proxies: Proxies,
}

struct Open {
    limit: usize,
    next: u64,
    by_id: BTreeMap<u64, Connection>,
    told: Option<Instant>,
}

struct Connection {
    address: IpAddr,
    turn: Turn,
    wanted: Arc<Notify>,
}

/// Who has to act next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Turn {
    /// The client, since the given time.
    Clients(Instant),
    /// The service.
    Ours,
    /// The client, but too late: another connection wants the place.
    Over,
}

/// The place of one connection, held until this is dropped.
pub(super) struct Place {
    id: u64,
    connections: Connections,
    wanted: Arc<Notify>,
}

/// Why there is no free place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Full {
    /// A place may become free soon.
    ForNow,
    /// The address has used up its share, and all its connections are being answered.
    OfAddress,
}

impl Connections {
    /// Allows at most `limit` connections.
    pub(super) fn new(limit: usize, proxies: Proxies) -> Self {
        let open = Open {
            limit,
            next: 0,
            by_id: BTreeMap::new(),
            told: None,
        };
        Self {
            open: Arc::new(Mutex::new(open)),
            left: Arc::default(),
            proxies,
        }
    }

    /// Admits a connection from an address.
    pub(super) fn admit(&self, address: IpAddr) -> Result<Place, Full> {
        let of_many = address.to_canonical().is_loopback() || self.proxies.trust(address);
        let (mut open, address) = (self.open(), network(address));
        open.make_room(address, of_many)?;
        let (id, wanted) = (open.next, Arc::new(Notify::new()));
        open.next += 1;
        let connection = Connection {
            address,
            turn: Turn::Clients(Instant::now()),
            wanted: wanted.clone(),
        };
        open.by_id.insert(id, connection);
        Ok(Place {
            id,
            connections: self.clone(),
            wanted,
        })
    }

    /// Waits until a connection has ended.
    pub(super) async fn one_left(&self) {
        self.left.notified().await;
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Checks whether there is room for one more connection from an address, of one client or of many; if not, asks a connection to
    /// leave.
    fn make_room(&mut self, address: IpAddr, of_many: bool) -> Result<(), Full> {
        let of_it = self.by_id.values().filter(|open| open.address == address).count();
        let has_share = !of_many && of_it >= self.limit.div_ceil(2);
        if !has_share && self.by_id.len() < self.limit {
            return Ok(());
        }
        let one_leaves = self.ask_to_leave(|open| !has_share || open.address == address);
        if has_share && !one_leaves {
            self.tell(address);
            return Err(Full::OfAddress);
        }
        Err(Full::ForNow)
    }

    /// Asks the connection that has waited longest among the given ones to leave; returns whether one is leaving.
    fn ask_to_leave(&mut self, among: impl Fn(&Connection) -> bool) -> bool {
        let mut longest = None;
        for open in self.by_id.values_mut().filter(|open| among(open)) {
            match open.turn {
                Turn::Over => return true,
                Turn::Ours => {}
                Turn::Clients(since) if longest.as_ref().is_some_and(|(first, _)| *first <= since) => {}
                Turn::Clients(since) => longest = Some((since, open)),
            }
        }
        let Some((_, connection)) = longest.filter(|(since, _)| since.elapsed() >= PATIENCE) else {
            return false;
        };
        connection.turn = Turn::Over;
        connection.wanted.notify_one();
        true
    }

    fn tell(&mut self, address: IpAddr) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told = Some(Instant::now());
            let open = self.by_id.len();
            tracing::warn!(client.address = %address, connections.open = open, "connections are refused: the client's address has reached its limit");
        }
    }
}

impl Place {
    /// Waits until another connection wants the place.
    pub(super) async fn is_wanted(&self) {
        self.wanted.notified().await;
    }

    /// Returns whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        let open = self.connections.open();
        open.by_id.get(&self.id).is_some_and(|open| open.turn == Turn::Ours)
    }

    /// Returns a guard that, when dropped, makes it the service's turn.
    pub(super) fn ours_at_the_end(&self) -> AtEnd {
        self.at_the_end(|| Turn::Ours)
    }

    /// Returns a guard that, when dropped, makes it the client's turn.
    pub(super) fn clients_at_the_end(&self) -> AtEnd {
        self.at_the_end(|| Turn::Clients(Instant::now()))
    }

    fn at_the_end(&self, turn: fn() -> Turn) -> AtEnd {
        let (connections, id) = (self.connections.clone(), self.id);
        AtEnd::new(move || {
            if let Some(connection) = connections.open().by_id.get_mut(&id) {
                connection.turn = turn();
            }
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().by_id.remove(&self.id);
        self.connections.left.notify_one();
    }
}

/// Returns what counts as one address: for IPv6 the whole network, because one client may own all of it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    /// Makes a connection look as if it has waited as long as it may.
    fn grow_old(connections: &Connections, place: &Place) {
        let long_ago = Instant::now().checked_sub(PATIENCE).map(Turn::Clients);
        if let (Some(connection), Some(turn)) = (connections.open().by_id.get_mut(&place.id), long_ago) {
            connection.turn = turn;
        }
    }

    fn is_wanted(place: &Place) -> bool {
        let mut wanted = std::pin::pin!(place.is_wanted());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        wanted.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn whoever_has_waited_longest_leaves_and_who_is_answered_stays() -> Result<(), Full> {
        let connections = Connections::new(3, Proxies::default());
        let admit = |last| connections.admit(address(last));
        let (answered, old, fresh) = (admit(1)?, admit(2)?, admit(3)?);
        grow_old(&connections, &answered);
        drop(answered.ours_at_the_end());
        assert_eq!(admit(4).err(), Some(Full::ForNow));
        grow_old(&connections, &old);
        assert_eq!([admit(4).err(), admit(4).err()], [Some(Full::ForNow); 2]);
        assert_eq!([&answered, &old, &fresh].map(is_wanted), [false, true, false]);
        drop(old);
        let fourth = admit(4)?;
        drop(answered.clients_at_the_end());
        grow_old(&connections, &answered);
        assert_eq!(admit(5).err(), Some(Full::ForNow));
        assert!(is_wanted(&answered) && !is_wanted(&fourth));
        drop(answered.ours_at_the_end());
        assert!(answered.is_busy(), "its request came after all");
        Ok(())
    }

    #[test]
    fn no_address_has_more_than_half_but_this_machine_and_proxies() -> Result<(), Full> {
        let proxies: Vec<_> = "192.0.2.9".parse().into_iter().collect();
        let connections = Connections::new(4, Proxies::new(&proxies));
        let admit = || connections.admit(address(1));
        let (first, second) = (admit()?, admit()?);
        assert_eq!(admit().err(), Some(Full::OfAddress));
        grow_old(&connections, &second);
        assert_eq!(admit().err(), Some(Full::ForNow));
        assert!(is_wanted(&second) && !is_wanted(&first));
        drop((first, second));
        let local = || connections.admit([127, 0, 0, 1].into());
        let all = [local()?, local()?, local()?, local()?];
        assert_eq!(local().err(), Some(Full::ForNow));
        drop(all);
        let proxy = || connections.admit(address(9));
        let all = [proxy()?, proxy()?, proxy()?, proxy()?];
        assert_eq!(proxy().err(), Some(Full::ForNow));
        drop(all);
        local().map(drop)
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let text = |text: &str| text.parse::<IpAddr>().map(network);
        assert_eq!(text("2001:db8::1"), text("2001:db8::ffff:2"));
        assert_ne!(text("2001:db8::1"), text("2001:db8:0:1::1"));
        assert_eq!(text("::ffff:192.0.2.1"), text("192.0.2.1"));
        assert!(text("::1").is_ok_and(|address| address.is_loopback()));
    }
}
