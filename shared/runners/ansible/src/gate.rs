//! The gate through which programs that fetch for a job reach the network: our own proxy, which holds them to the policy
//! whatever they are told to fetch, and the variables that send them through it.

pub(crate) mod git;
pub(crate) mod ssh;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use callboard_http::{Access, Egress};
use callboard_kind_ansible::policy::{AnsiblePolicy, GitRule, git_host_refusal, private_host_advice};
use http::StatusCode;

/// The user names by which the proxy knows git: for repositories that a rule lists, and for anything else.
const GIT: &str = "git";
const UNLISTED: &str = "unlisted";
/// The user name by which it knows all other programs.
const WEB: &str = "web";
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"];

/// An open gate; it closes when dropped.
pub(crate) struct Gate(Egress);

impl Gate {
    /// Opens a gate for what a policy allows.
    pub(crate) async fn open(policy: &Arc<AnsiblePolicy>) -> io::Result<Self> {
        let policy = Arc::clone(policy);
        Egress::start(move |user, host, port| permit(&policy, user, host, port))
            .await
            .map(Self)
    }

    /// Sends git through the gate if it is given only addresses that have been checked.
    pub(crate) fn lead_git(&self, env: &mut BTreeMap<String, String>) {
        configure(env, [("http.proxy".to_owned(), self.0.address(GIT))]);
    }

    /// Sends all programs through the gate. Git may be given any address here, so its proxy depends on the organisation.
    pub(crate) fn lead(&self, policy: &AnsiblePolicy, env: &mut BTreeMap<String, String>) {
        for name in PROXIES {
            env.insert(name.to_owned(), self.0.address(WEB));
            env.insert(name.to_ascii_uppercase(), self.0.address(WEB));
        }
        for name in ["no_proxy", "NO_PROXY"] {
            env.remove(name);
        }
        let listed = policy.git_rules().iter().flat_map(addresses);
        let listed = listed.map(|address| (format!("http.{address}.proxy"), self.0.address(GIT)));
        let fixed = [
            ("http.proxy".to_owned(), self.0.address(UNLISTED)),
            ("http.followRedirects".to_owned(), "false".to_owned()),
        ];
        configure(env, fixed.into_iter().chain(listed));
        env.insert("GIT_ALLOW_PROTOCOL".to_owned(), "https:ssh".to_owned());
    }

    /// Returns the first refusal, as a sentence.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.0.refusals().into_iter().next()
    }

    /// Returns why a host could not be reached, as a sentence, if that is why a program failed that wrote this.
    pub(crate) fn failure(&self, stderr: &str) -> Option<String> {
        let is_why = stderr.contains(&StatusCode::BAD_GATEWAY.as_u16().to_string());
        self.0.failures().into_iter().next().filter(|_| is_why)
    }
}

fn permit(policy: &AnsiblePolicy, user: &str, host: &str, port: u16) -> Result<Access, String> {
    let place = if port == 443 {
        host.to_owned()
    } else {
        format!("{host}:{port}")
    };
    let is_listed = || policy.git_rules().iter().any(|rule| rule.host() == place);
    match user {
        GIT if is_listed() => Ok(Access::Any),
        GIT | UNLISTED => Err(git_host_refusal(&place)),
        _ if policy.has_galaxy_at(host, port) || policy.allows_private_host(host) => Ok(Access::Any),
        _ => Ok(Access::Public(private_host_advice(host))),
    }
}

/// Returns the addresses below which a rule allows everything, in the form that git's `http.<url>.*` takes.
fn addresses(rule: &GitRule) -> Vec<String> {
    let host = format!("https://{}/", rule.host());
    match rule.organisations() {
        [] => vec![host],
        some => some
            .iter()
            .map(|organisation| format!("{host}{}/", encoded(organisation)))
            .collect(),
    }
}

fn encoded(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => text.push(char::from(byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

/// Passes settings to git in environment variables, because a list of processes does not show those.
fn configure(env: &mut BTreeMap<String, String>, settings: impl IntoIterator<Item = (String, String)>) {
    let login = ("http.proxyAuthMethod".to_owned(), "basic".to_owned());
    let mut count = 0;
    for (number, (name, value)) in settings.into_iter().chain([login]).enumerate() {
        env.insert(format!("GIT_CONFIG_KEY_{number}"), name);
        env.insert(format!("GIT_CONFIG_VALUE_{number}"), value);
        count = number + 1;
    }
    env.insert("GIT_CONFIG_COUNT".to_owned(), count.to_string());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn git_reaches_what_a_rule_lists_and_the_rest_the_public_internet() {
        let policy = json!({"git": ["github.com/acme", "git.example.com:8443"], "galaxy_servers": ["https://hub.internal/api/"], "inventory_hosts": ["files.internal"]});
        let policy = AnsiblePolicy::parse(&policy).unwrap_or_default();
        let allowed = |user, host, port| permit(&policy, user, host, port);
        assert_eq!(allowed(GIT, "github.com", 443), Ok(Access::Any));
        assert_eq!(allowed(GIT, "git.example.com", 8443), Ok(Access::Any));
        assert_eq!(allowed(WEB, "hub.internal", 443), Ok(Access::Any));
        assert_eq!(allowed(WEB, "files.internal", 80), Ok(Access::Any));
        for (user, host, port) in [
            (GIT, "git.example.com", 443),
            (GIT, "other", 443),
            (UNLISTED, "github.com", 443),
            (GIT, "github.com", 80),
        ] {
            let told = allowed(user, host, port).err().unwrap_or_default();
            assert!(
                told.contains(&format!("a repository of {host}")) && told.contains("ORGANISATION"),
                "{user} {host}: {told}"
            );
        }
        for (host, port) in [("hub.internal", 80), ("github.com", 443)] {
            assert!(matches!(allowed(WEB, host, port), Ok(Access::Public(advice)) if advice.contains(host)));
        }
    }
}
