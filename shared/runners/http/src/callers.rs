//! The HTTP clients of a worker.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use callboard_core::credential::ClientCertificate;
use callboard_http::{Caller, FetchError, Guard};
use callboard_kind_service::security::Network;
use sha2::{Digest, Sha256};

/// How many clients are kept at most.
const MOST: usize = 100;

/// What tells clients apart: whether they may reach private addresses, how many seconds they wait for a connection, and which
/// certificate they show.
type Key = (bool, u64, Option<[u8; 32]>);

/// Clients. Calls that need the same one share its connections.
#[derive(Default)]
pub(crate) struct Callers(Mutex<HashMap<Key, Caller>>);

impl Callers {
    /// Returns a client.
    pub(crate) fn get(
        &self,
        network: Network,
        connect_timeout: u64,
        shown: Option<&ClientCertificate>,
    ) -> Result<Caller, FetchError> {
        let private = network == Network::Private;
        let key = (private, connect_timeout, shown.map(digest));
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = callers.get(&key) {
            return Ok(caller.clone());
        }
        let guard = if private {
            Guard::allowing(|_host| true)
        } else {
            Guard::public()
        };
        let caller = Caller::showing(shown, guard, Duration::from_secs(connect_timeout))?;
        if callers.len() >= MOST {
            // whoever uses one of them has a clone
            callers.clear();
        }
        callers.insert(key, caller.clone());
        Ok(caller)
    }
}

fn digest(shown: &ClientCertificate) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(shown.certificate.len().to_be_bytes());
    hash.update(&shown.certificate);
    hash.update(shown.private_key.expose());
    hash.finalize().into()
}
