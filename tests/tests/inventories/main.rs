//! Every form of inventory that a request can name, through the real service and from real servers.

mod bounds;
mod dynamic;
mod fetching;
mod git;
mod headers;
mod inline;
mod merging;
mod redirects;
mod url;

use callboard_tests::Site;
use callboard_tests::servers::{Part, Servers};
use serde_json::{Value, json};

/// What shows which variables have reached which host.
const SHOW: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - debug:
        msg: \"{{ [inventory_hostname, group_names | join('+'), site | d('-'), tier | d('-'), rank | d('-')] | join(' ') }}\"
";

/// A request that shows an inventory.
pub(crate) fn show(inventory: &Value) -> Value {
    json!({"source": {"type": "inline", "content": SHOW}, "inventory": inventory, "options": {"forks": 1}})
}

/// A service whose jobs may fetch from this machine.
pub(crate) fn site(parts: &[Part]) -> anyhow::Result<Site> {
    Site::start(parts, policy)
}

/// Allows this machine as a host of inventories, and the Git server if there is one.
pub(crate) fn policy(servers: &Servers) -> anyhow::Result<Value> {
    let git = servers.git().ok().and_then(|git| git.url.strip_prefix("https://"));
    Ok(json!({"inventory_hosts": ["127.0.0.1"], "git": git.into_iter().collect::<Vec<_>>()}))
}
