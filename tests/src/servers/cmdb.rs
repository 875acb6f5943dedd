//! The server that has inventories.

use serde_json::Value;

use super::requests::{Request, RequestLog};
use super::text;

/// The server. It has one inventory as `/inventory.yaml`, `/inventory.json`, `/inventory.ini`, and as `/list.json` what
/// `ansible-inventory --list` makes of it: `web1` and `web2` in the group `web`, `db1` in `db`, all of them this machine.
///
/// Below `/private/` the same is there for those who send the token, as `Authorization: Bearer` or `X-Api-Key`. There
/// are `/redirect/same`, `/redirect/other` and `/redirect/loop`; `/large`, of 100 MiB; `/drip`, which never ends, and
/// `/slow`, which never begins; `/deep-flow`, `/deep-block` and `/deep-json`, which overflow the stack of Ansible's reader, and
/// `/aliases`, which stand for more than any memory holds; `/broken`, which answers with 500 and the canary; and `/not-an-inventory`.
#[derive(Clone, Debug)]
pub struct CmdbServer {
    /// The address, without a slash at its end.
    pub url: String,
    /// The address with TLS.
    pub https_url: String,
    /// The address of a second server, where `/redirect/other` leads.
    pub other_url: String,
    /// The token.
    pub token: String,
    /// What `/broken` says.
    pub canary: String,
    /// What all of them have been asked.
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

    /// Returns what the second server has been asked.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn asked_of_other(&self) -> anyhow::Result<Vec<Request>> {
        let mut requests = self.log.requests()?;
        requests.retain(|request| request.server == "other");
        Ok(requests)
    }
}
