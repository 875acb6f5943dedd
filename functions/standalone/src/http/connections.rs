//! The connections there are, and who makes room when there are as many as may be.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::body::AtEnd;

/// How often the log tells that connections are refused.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How long a connection waits for its client before it has to make room for another.
const PATIENCE: Duration = Duration::from_secs(1);

/// The connections of a server: no more than its limit, and from one address no more than half of that.
///
/// At the limit, the one makes room that has waited longest for its client: for a request, or the rest of one. What is
/// being answered stays. Clients on this machine are one address, whoever they are, so that only the limit holds for them.
#[derive(Clone)]
pub(super) struct Connections(Arc<Mutex<Open>>);

struct Open {
    limit: usize,
    next: u64,
    by_id: BTreeMap<u64, Connection>,
    told: Option<Instant>,
}

struct Connection {
    address: IpAddr,
    /// Since when it has waited for its client; nothing while its client waits.
    waits_since: Option<Instant>,
    wanted: Arc<Notify>,
}

/// The place of one connection, until this is dropped.
pub(super) struct Place {
    id: u64,
    connections: Connections,
    wanted: Arc<Notify>,
}

impl Connections {
    /// Lets so many be there.
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Open {
            limit,
            next: 0,
            by_id: BTreeMap::new(),
            told: None,
        })))
    }

    /// Takes one more in; one that has to wait may try again in a moment.
    pub(super) fn admit(&self, address: IpAddr) -> Result<Place, Full> {
        let (mut open, address) = (self.open(), network(address));
        open.make_room(address)?;
        let (id, wanted) = (open.next, Arc::new(Notify::new()));
        open.next += 1;
        let connection = Connection {
            address,
            waits_since: Some(Instant::now()),
            wanted: wanted.clone(),
        };
        open.by_id.insert(id, connection);
        Ok(Place {
            id,
            connections: self.clone(),
            wanted,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Full {
    /// There are as many as may be.
    InAll,
    /// There are as many of the address as may be.
    OfAddress,
}

impl Open {
    /// Makes room for one more of an address.
    fn make_room(&mut self, address: IpAddr) -> Result<(), Full> {
        let of_it = |open: &Connection| open.address == address;
        if !address.is_loopback() && self.by_id.values().filter(|open| of_it(open)).count() >= self.limit.div_ceil(2) {
            return self.send_away(of_it).then_some(()).ok_or_else(|| {
                self.tell(address);
                Full::OfAddress
            });
        }
        let room = self.by_id.len() < self.limit || self.send_away(|_| true);
        room.then_some(()).ok_or(Full::InAll)
    }

    /// Ends the connection that has waited longest among some; tells whether there was one.
    fn send_away(&mut self, among: impl Fn(&Connection) -> bool) -> bool {
        let waiting = self.by_id.iter().filter(|(_, open)| among(open));
        let waiting = waiting.filter_map(|(id, open)| Some((open.waits_since?, *id)));
        let Some((_, id)) = waiting.min().filter(|(since, _)| since.elapsed() >= PATIENCE) else {
            return false;
        };
        if let Some(connection) = self.by_id.remove(&id) {
            connection.wanted.notify_one();
        }
        true
    }

    fn tell(&mut self, address: IpAddr) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told = Some(Instant::now());
            let open = self.by_id.len();
            tracing::warn!(client.address = %address, connections.open = open, "a connection is refused: all that may be are in use");
        }
    }
}

impl Place {
    /// Waits until the place is wanted for another connection.
    pub(super) async fn is_wanted(&self) {
        self.wanted.notified().await;
    }

    /// Notes, once it is dropped, that the client waits for us.
    pub(super) fn busy_at_the_end(&self) -> AtEnd {
        self.at_the_end(|| None)
    }

    /// Notes, once it is dropped, that we wait for the client.
    pub(super) fn waiting_at_the_end(&self) -> AtEnd {
        self.at_the_end(|| Some(Instant::now()))
    }

    fn at_the_end(&self, waits_since: fn() -> Option<Instant>) -> AtEnd {
        let (connections, id) = (self.connections.clone(), self.id);
        AtEnd::new(move || {
            if let Some(connection) = connections.open().by_id.get_mut(&id) {
                connection.waits_since = waits_since();
            }
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().by_id.remove(&self.id);
    }
}

/// Returns what counts as one address: of IPv6 the network, as a client has all of that to itself.
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

    /// Has a connection wait for longer than is patience.
    fn grow_old(connections: &Connections, place: &Place) {
        let long_ago = Instant::now().checked_sub(PATIENCE);
        if let Some(connection) = connections.open().by_id.get_mut(&place.id) {
            connection.waits_since = long_ago;
        }
    }

    fn is_wanted(place: &Place) -> bool {
        let mut wanted = std::pin::pin!(place.is_wanted());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::future::Future::poll(wanted.as_mut(), &mut context).is_ready()
    }

    #[test]
    fn whoever_has_waited_longest_makes_room_and_who_is_answered_stays() -> Result<(), Full> {
        let connections = Connections::new(3);
        let places = [1, 2, 3].map(|last| connections.admit(address(last)));
        let [answered, old, fresh] = places;
        let (answered, old, fresh) = (answered?, old?, fresh?);
        grow_old(&connections, &answered);
        drop(answered.busy_at_the_end());
        assert_eq!(connections.admit(address(4)).err(), Some(Full::InAll));
        grow_old(&connections, &old);
        let fourth = connections.admit(address(4))?;
        assert_eq!(
            [&answered, &old, &fresh, &fourth].map(is_wanted),
            [false, true, false, false]
        );
        drop(answered.waiting_at_the_end());
        grow_old(&connections, &answered);
        connections.admit(address(5))?;
        assert!(is_wanted(&answered));
        Ok(())
    }

    #[test]
    fn no_address_has_more_than_half_but_this_machine() -> Result<(), Full> {
        let connections = Connections::new(4);
        let first = [connections.admit(address(1))?, connections.admit(address(1))?];
        assert_eq!(connections.admit(address(1)).err(), Some(Full::OfAddress));
        grow_old(&connections, &first[1]);
        let third = connections.admit(address(1))?;
        assert!(is_wanted(&first[1]) && !is_wanted(&first[0]));
        drop((first, third));
        let local = || connections.admit([127, 0, 0, 1].into());
        let all = [local()?, local()?, local()?, local()?];
        assert_eq!(local().err(), Some(Full::InAll));
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
