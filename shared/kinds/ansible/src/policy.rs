//! What the operator of a deployment allows requests to reach. Only this module decides it.

mod git;

use self::git::read_rules;
pub use self::git::{GitRule, git_host_refusal, git_refusal};
use callboard_core::base::address::host_is_never_allowed;
use callboard_core::base::fields::{Faults, FieldError, Fields};
use callboard_core::base::json::escape;
use callboard_core::base::web_address::WebAddress;
use callboard_core::credential::known_hosts;
use callboard_core::policy::{Policy, check_starts, listed, refusal};
use serde_json::Value;

use crate::inventory::{Inventory, TypedInventory};
use crate::repository::RepoUrl;
use crate::request::AnsibleRequest;
use crate::source::{GitSource, Source, TypedSource};

const MAX_LINE_BYTES: usize = 2048;
const MAX_KNOWN_HOSTS_BYTES: usize = 1024 * 1024;
/// The public Galaxy server, which a policy allows unless it says otherwise.
pub const PUBLIC_GALAXY: &str = "https://galaxy.ansible.com";

/// What requests may reach. Everything that is not listed is refused, and the refusal says what to add.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AnsiblePolicy {
    git: Vec<GitRule>,
    galaxy_servers: Vec<String>,
    inventory_plugins: Vec<String>,
    inventory_hosts: Vec<String>,
    environment: Vec<String>,
    /// The keys of hosts that jobs manage, as lines of `known_hosts`.
    pub known_hosts: Option<String>,
    /// What happens to a host whose key is not known.
    pub host_key_checking: HostKeyChecking,
}

/// What happens to a host that a job manages over ssh if its key is not known. A host whose key has changed is always refused.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HostKeyChecking {
    /// It is refused.
    #[default]
    Strict,
    /// Its key is accepted, and later jobs of the tenant know it.
    AcceptNew,
}

impl HostKeyChecking {
    const NAMES: [&'static str; 2] = ["strict", "accept-new"];
}

impl Default for AnsiblePolicy {
    fn default() -> Self {
        Self {
            git: Vec::new(),
            galaxy_servers: vec![PUBLIC_GALAXY.to_owned()],
            inventory_plugins: Vec::new(),
            inventory_hosts: Vec::new(),
            environment: Vec::new(),
            known_hosts: None,
            host_key_checking: HostKeyChecking::default(),
        }
    }
}

impl AnsiblePolicy {
    /// Reads a policy that has only these fields.
    ///
    /// # Errors
    /// Every fault, each with a pointer to its field.
    pub fn parse(value: &Value) -> Result<Self, Vec<FieldError>> {
        let mut faults = Faults::default();
        let Some(mut fields) = Fields::of(value, "", &mut faults) else {
            return Err(faults.into_inner());
        };
        let policy = Self::read(&mut fields, &mut faults);
        fields.finish(&mut faults);
        faults.or(policy)
    }

    /// Reads the Ansible fields of a policy; adds each fault with its pointer.
    pub fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let galaxy_servers = fields.lines("galaxy_servers", MAX_LINE_BYTES, faults);
        let policy = Self {
            inventory_plugins: fields.lines("inventory_plugins", MAX_LINE_BYTES, faults),
            inventory_hosts: fields.lines("inventory_hosts", MAX_LINE_BYTES, faults),
            environment: fields.lines("environment", MAX_LINE_BYTES, faults),
            galaxy_servers: match fields.get("galaxy_servers") {
                Some(_) => galaxy_servers,
                None => Self::default().galaxy_servers,
            },
            git: read_rules(fields, faults),
            known_hosts: known_hosts::read(fields, MAX_KNOWN_HOSTS_BYTES, faults),
            host_key_checking: read_checking(fields, faults),
        };
        let wrong = "must be the address of a Galaxy server";
        check_starts(
            "galaxy_servers",
            &policy.galaxy_servers,
            &["https://", "http://"],
            wrong,
            faults,
        );
        for (index, host) in policy.inventory_hosts.iter().enumerate() {
            if host.contains("://") {
                let right = "must be a host and no URL, as in \"cmdb.internal\"";
                faults.add(format!("/inventory_hosts/{index}"), right);
            }
        }
        policy
    }

    /// Returns the rule that allows a repository.
    #[must_use]
    pub fn repository(&self, repo: &RepoUrl) -> Option<&GitRule> {
        let mut rules = self.git.iter().filter(|_| !host_is_never_allowed(repo.bare_host()));
        rules.find(|rule| rule.allows(repo))
    }

    /// Returns everything that decides what a program may fetch for a job, as text.
    #[must_use]
    pub fn places(&self) -> String {
        format!("{:?} {:?} {:?}", self.git, self.galaxy_servers, self.inventory_hosts)
    }

    /// Returns the rules for repositories.
    #[must_use]
    pub fn git_rules(&self) -> &[GitRule] {
        &self.git
    }

    /// Returns whether an inventory or an archive may be fetched from a host with a private address.
    #[must_use]
    pub fn allows_private_host(&self, host: &str) -> bool {
        listed(&self.inventory_hosts, host)
    }

    /// Returns whether a listed Galaxy server has this host and port.
    #[must_use]
    pub fn has_galaxy_at(&self, host: &str, port: u16) -> bool {
        let is_there = |server: &String| {
            WebAddress::parse(server).is_ok_and(|known| known.port == port && known.host.eq_ignore_ascii_case(host))
        };
        self.galaxy_servers.iter().any(is_there)
    }

    /// Adds a fault for everything in a request that the policy does not allow.
    pub fn check(&self, request: &AnsibleRequest, every: &Policy, faults: &mut Faults) {
        if let Some(git) = request.source.git() {
            self.check_git(git, every, "/source", faults);
        }
        if let Source::Typed(TypedSource::CollectionRole(role)) = &request.source
            && let Some(server) = &role.galaxy_server
            && !self.allows_galaxy(server)
        {
            faults.add("/source/galaxy_server", galaxy_refusal(server));
        }
        match &request.inventory {
            Inventory::Several(several) => {
                for (index, one) in several.iter().enumerate() {
                    self.check_inventory(one, every, &format!("/inventory/{index}"), faults);
                }
            }
            one => self.check_inventory(one, every, "/inventory", faults),
        }
        for name in request
            .options
            .environment
            .keys()
            .filter(|name| !listed(&self.environment, name))
        {
            let pointer = format!("/options/environment/{}", escape(name));
            faults.add(pointer, refusal(name, "environment", name));
        }
        check_credentials(request, every, faults);
    }

    /// Returns whether a Galaxy server may be used.
    #[must_use]
    pub fn allows_galaxy(&self, server: &str) -> bool {
        let same = |known: &String| known.trim_end_matches('/') == server.trim_end_matches('/');
        self.galaxy_servers.iter().any(same) && !is_never_allowed(server)
    }

    /// Returns the Galaxy servers that may be used, in order.
    #[must_use]
    pub fn galaxy_servers(&self) -> &[String] {
        &self.galaxy_servers
    }

    fn check_git(&self, git: GitSource<'_>, every: &Policy, pointer: &str, faults: &mut Faults) {
        if let Ok(repo) = RepoUrl::parse(git.repo)
            && self.repository(&repo).is_none()
        {
            faults.add(format!("{pointer}/repo"), git_refusal(&repo));
        }
        if let Some(credential) = git.credential {
            every.check_reference(credential, &format!("{pointer}/git_credential"), faults);
        }
    }

    fn check_inventory(&self, inventory: &Inventory, every: &Policy, pointer: &str, faults: &mut Faults) {
        let Inventory::Typed(typed) = inventory else { return };
        let credential = match typed {
            TypedInventory::Inline(_) => None,
            TypedInventory::Git(git) => return self.check_git(git.git(), every, pointer, faults),
            TypedInventory::Url(url) => url.credential.as_ref().map(|credential| (credential, "credential")),
            TypedInventory::Dynamic(dynamic) => {
                let plugin = &dynamic.plugin;
                if !plugin.is_empty() && !listed(&self.inventory_plugins, plugin) {
                    faults.add(
                        format!("{pointer}/plugin"),
                        refusal(plugin, "inventory_plugins", plugin),
                    );
                }
                dynamic
                    .cloud_credential
                    .as_ref()
                    .map(|credential| (credential, "cloud_credential"))
            }
        };
        if let Some((credential, name)) = credential {
            every.check_reference(credential, &format!("{pointer}/{name}"), faults);
        }
    }
}

fn check_credentials(request: &AnsibleRequest, every: &Policy, faults: &mut Faults) {
    if let Source::Typed(TypedSource::CollectionRole(role)) = &request.source
        && let Some(credential) = &role.galaxy_credential
    {
        every.check_reference(credential, "/source/galaxy_credential", faults);
    }
    let access = &request.credentials;
    let named = [
        ("ssh", &access.ssh),
        ("password", &access.password),
        ("become_password", &access.become_password),
        ("vault_password", &access.vault_password),
    ];
    for (name, credential) in named {
        if let Some(credential) = credential {
            every.check_reference(credential, &format!("/credentials/{name}"), faults);
        }
    }
    if let Some(cloud) = &access.cloud {
        every.check_cloud(cloud, "/credentials/cloud", faults);
    }
}

fn read_checking(fields: &mut Fields<'_>, faults: &mut Faults) -> HostKeyChecking {
    let given = fields.get("host_key_checking").is_some();
    let name = given.then(|| fields.variant("host_key_checking", &HostKeyChecking::NAMES, faults));
    match name.flatten() {
        Some("accept-new") => HostKeyChecking::AcceptNew,
        _ => HostKeyChecking::Strict,
    }
}

/// Returns the message that a Galaxy server is not allowed, and how to allow it.
#[must_use]
pub fn galaxy_refusal(server: &str) -> String {
    if is_never_allowed(server) {
        return never(server);
    }
    refusal(server, "galaxy_servers", server)
}

/// Returns the advice on how an operator allows inventories and archives from a host with a private address.
#[must_use]
pub fn private_host_advice(host: &str) -> String {
    format!(
        "an operator allows it by adding {host:?} to \"inventory_hosts\" of the policy (--policy, CALLBOARD_POLICY)"
    )
}

fn is_never_allowed(url: &str) -> bool {
    WebAddress::parse(url).is_ok_and(|address| host_is_never_allowed(address.host))
}

/// Returns the message that something is not allowed and that no policy can allow it.
fn never(what: &str) -> String {
    format!(
        "{what:?} has an address that is never allowed: a link-local or metadata address, where clouds serve a machine's identity"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allows(policy: &Value, repo: &str) -> bool {
        let policy = AnsiblePolicy::parse(policy).unwrap_or_default();
        RepoUrl::parse(repo).is_ok_and(|repo| policy.repository(&repo).is_some())
    }

    #[test]
    fn a_repository_is_allowed_by_its_host_and_organisation() {
        let policy = json!({"git": ["github.com/acme", {"host": "dev.azure.com", "organisations": ["contoso"]}, "git.example.com:8443", "gitlab.com/group/sub"]});
        for repo in [
            "https://github.com/acme/site.git",
            "git@github.com:Acme/site",
            "https://dev.azure.com/contoso/p/_git/r",
            "git@ssh.dev.azure.com:v3/contoso/p/r",
            "https://git.example.com:8443/any/r",
            "https://gitlab.com/group/sub/r",
        ] {
            assert!(allows(&policy, repo), "{repo}");
        }
        for repo in [
            "https://github.com/acmes/site.git",
            "https://github.com/other/acme",
            "https://github.com.evil.org/acme/x",
            "https://git.example.com/any/r",
            "https://gitlab.com/group/other",
            "git@ssh.dev.azure.com:v3/other/p/r",
            "https://github.com/acme",
            "https://github.com/acme/%2e%2e/other/secret.git",
            "https://github.com/acme/..%2fother/secret.git",
            "https://github.com/~acme/secret.git",
            "git@github.com:acme/%2e%2e/other/secret.git",
        ] {
            assert!(!allows(&policy, repo), "{repo}");
        }
        assert!(!allows(&json!({}), "https://github.com/acme/site.git"));
        let spaced = json!({"git": ["dev.azure.com/contoso/my%20project"]});
        assert!(allows(&spaced, "https://dev.azure.com/contoso/my%20project/_git/r"));
        assert!(!allows(&spaced, "https://dev.azure.com/contoso/my/r"));
    }

    #[test]
    fn an_address_that_no_policy_allows_is_refused_without_advice() {
        let policy = json!({"git": ["169.254.169.254"], "galaxy_servers": ["http://169.254.169.254/", "http://[fd00:ec2::254]/"]});
        let policy = AnsiblePolicy::parse(&policy).unwrap_or_default();
        let repo = RepoUrl::parse("https://169.254.169.254/a/b");
        assert!(repo.as_ref().is_ok_and(|repo| policy.repository(repo).is_none()));
        let told = repo.map(|repo| git_refusal(&repo)).unwrap_or_default();
        for (server, told) in [
            ("http://169.254.169.254", galaxy_refusal("http://169.254.169.254")),
            ("http://[fd00:ec2::254]", galaxy_refusal("http://[fd00:ec2::254]")),
            ("http://[::ffff:169.254.169.254]:80/x", told),
        ] {
            assert!(!policy.allows_galaxy(server), "{server}");
            assert!(told.contains("never allowed") && !told.contains("adding"), "{told}");
        }
        assert!(galaxy_refusal("https://hub.example.com/").contains("adding \"https://hub.example.com/\""));
    }

    #[test]
    fn a_policy_that_says_what_is_not_known_is_refused() {
        for (policy, pointer) in [
            (json!({"gti": []}), "/gti"),
            (json!({"git": "github.com"}), "/git"),
            (json!({"git": [{"organisations": ["a"]}]}), "/git/0/host"),
            (json!({"git": ["https://github.com/acme"]}), "/git/0"),
            (json!({"git": ["github.com/acme/%2e%2e"]}), "/git/0"),
            (
                json!({"git": [{"host": "github.com", "organisations": ["a//b"]}]}),
                "/git/0",
            ),
            (
                json!({"inventory_hosts": ["http://127.0.0.1:80"]}),
                "/inventory_hosts/0",
            ),
            (json!({"known_hosts": "web1 ssh-ed25519 AAAA"}), "/known_hosts"),
            (
                json!({"git": [{"host": "a", "known_hosts": "ssh-ed25519 AAAA"}]}),
                "/git/0/known_hosts",
            ),
            (json!({"host_key_checking": "off"}), "/host_key_checking"),
            (json!({"host_key_checking": false}), "/host_key_checking"),
            (json!([]), ""),
        ] {
            let faults = AnsiblePolicy::parse(&policy).err().unwrap_or_default();
            assert_eq!(
                faults.first().map(|fault| fault.pointer.as_str()),
                Some(pointer),
                "{policy}"
            );
        }
    }
}
