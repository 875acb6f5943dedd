//! The server for inventories.

use serde_json::Value;

use super::requests::{Request, RequestLog};
use super::text;

/// The server. It serves one inventory as `/inventory.yaml`, `/inventory.json` and `/inventory.ini`, and the output of
/// `ansible-inventory --list` for it as `/list.json`: `web1` and `web2` in the group `web`, `db1` in `db`, all of them this machine.
///
/// The same files are below `/private/` for clients that send the token, as `Authorization: Bearer` or `X-Api-Key`. There
/// are also `/redirect/same`, `/redirect/other` and `/redirect/loop`; `/large`, which has 100 MiB; `/drip`, which never ends, and
/// `/slow`, which never begins; `/deep-flow`, `/deep-block` and `/deep-json`, which overflow the stack of Ansible's reader;
/// `/aliases`, which expands to more than fits in memory; `/broken`, which answers with 500 and the canary; and `/not-an-inventory`.
#[derive(Clone, Debug)]
pub struct CmdbServer {
    /// The address, without a trailing slash.
    pub url: String,
    /// The address with TLS.
    pub https_url: String,
    /// The address of a second server, where `/redirect/other` leads.
    pub other_url: String,
    /// The token.
    pub token: String,
    /// The text in the answer of `/broken`.
    pub canary: String,
    /// The log of requests to all of these addresses.
    pub log: RequestLog,
}

impl CmdbServer {
    pub(super) fn read(part: &Value) -> anyhow::Result<Self> {
        Ok(Self {
            url: text(part, "url")?,
            https_url: text(part, "https_url")?,
            other_url: text(part, "other_url")?,
            token: text(part, "token")?,
            canary: text(part, "canary")?,
            log: RequestLog::read(part)?,
        })
    }

    /// Returns the requests that the second server received.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn asked_of_other(&self) -> anyhow::Result<Vec<Request>> {
        let mut requests = self.log.requests()?;
        requests.retain(|request| request.server == "other");
        Ok(requests)
    }
}
