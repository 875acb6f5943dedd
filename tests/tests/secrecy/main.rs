//! Credentials in use: that each reaches what it is for, and that nothing of it stays anywhere.

mod canary;
mod changes;
mod forms;
mod galaxy;
mod hashicorp;
mod identity;
mod passwords;
mod private;
mod references;
mod ssh;
mod tenants;
mod vault;
mod words;

use callboard_tests::Site;
use callboard_tests::servers::{Part, Servers};
use serde_json::{Value, json};

/// A service whose jobs may reach the servers.
pub(crate) fn site(parts: &[Part]) -> anyhow::Result<Site> {
    Site::start(parts, policy)
}

/// Allows all servers of the tests.
pub(crate) fn policy(servers: &Servers) -> anyhow::Result<Value> {
    let git = servers.git().ok().and_then(|git| git.url.strip_prefix("https://"));
    let galaxy = servers.galaxy().ok().map(|galaxy| galaxy.private_url.clone());
    Ok(json!({
        "inventory_hosts": ["127.0.0.1"],
        "git": git.into_iter().collect::<Vec<_>>(),
        "galaxy_servers": galaxy.into_iter().collect::<Vec<_>>(),
    }))
}

/// A request to run a playbook that stands in it.
pub(crate) fn inline(playbook: &str) -> Value {
    json!({"source": {"type": "inline", "content": playbook}})
}
