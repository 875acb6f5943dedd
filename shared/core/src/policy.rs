//! What the operator of a deployment allows requests to reach: the one place where that is decided.

mod git;

use serde_json::Value;

use self::git::read_rules;
pub use self::git::{GitRule, git_host_refusal, git_refusal};
use crate::access::CloudRef;
use crate::address::host_is_never_allowed;
use crate::fields::{Faults, FieldError, Fields};
use crate::inventory::{Inventory, TypedInventory};
use crate::json::escape;
use crate::known_hosts;
use crate::reference::{CredentialRef, ExternalSecret};
use crate::repository::RepoUrl;
use crate::request::JobRequest;
use crate::source::{GitSource, Source, TypedSource};
use crate::web_address::WebAddress;

const MAX_LINE_BYTES: usize = 2048;
const MAX_KNOWN_HOSTS_BYTES: usize = 1024 * 1024;
/// The public Galaxy, which every policy allows that does not say otherwise.
pub const PUBLIC_GALAXY: &str = "https://galaxy.ansible.com";

/// What requests may reach. Everything that is not listed is refused, and the refusal says what to add.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    git: Vec<GitRule>,
    galaxy_servers: Vec<String>,
    inventory_plugins: Vec<String>,
    inventory_hosts: Vec<String>,
    environment: Vec<String>,
    roles: Vec<String>,
    secrets: Vec<String>,
    /// The keys of hosts that jobs manage, as lines of `known_hosts`.
    pub known_hosts: Option<String>,
    /// What becomes of a host whose key is not known.
    pub host_key_checking: HostKeyChecking,
}

/// What becomes of a host that a job manages over ssh and whose key is not known. One whose key has changed is always refused.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HostKeyChecking {
    /// It is refused.
    #[default]
    Strict,
    /// Its key is accepted, and known to later jobs of the tenant.
    AcceptNew,
}

impl HostKeyChecking {
    const NAMES: [&'static str; 2] = ["strict", "accept-new"];
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            git: Vec::new(),
            galaxy_servers: vec![PUBLIC_GALAXY.to_owned()],
            inventory_plugins: Vec::new(),
            inventory_hosts: Vec::new(),
            environment: Vec::new(),
            roles: Vec::new(),
            secrets: Vec::new(),
            known_hosts: None,
            host_key_checking: HostKeyChecking::default(),
        }
    }
}

impl Policy {
    /// Reads a policy from what its YAML holds; nothing is the default.
    ///
    /// # Errors
    /// Every fault, each with a pointer to its field.
    pub fn read(value: &Value) -> Result<Self, Vec<FieldError>> {
        if value.is_null() {
            return Ok(Self::default());
        }
        let mut faults = Faults::default();
        let Some(mut fields) = Fields::of(value, "", &mut faults) else {
            return faults.or(Self::default());
        };
        let mut lines = |name, faults: &mut Faults| fields.lines(name, MAX_LINE_BYTES, faults);
        let galaxy_servers = lines("galaxy_servers", &mut faults);
        let policy = Self {
            inventory_plugins: lines("inventory_plugins", &mut faults),
            inventory_hosts: lines("inventory_hosts", &mut faults),
            environment: lines("environment", &mut faults),
            roles: lines("roles", &mut faults),
            secrets: lines("secrets", &mut faults),
            galaxy_servers: match fields.get("galaxy_servers") {
                Some(_) => galaxy_servers,
                None => Self::default().galaxy_servers,
            },
            git: read_rules(&mut fields, &mut faults),
            known_hosts: known_hosts::read(&mut fields, MAX_KNOWN_HOSTS_BYTES, &mut faults),
            host_key_checking: read_checking(&mut fields, &mut faults),
        };
        fields.finish(&mut faults);
        policy.check_entries(&mut faults);
        faults.or(policy)
    }

    /// An entry that nothing can match is a mistake.
    fn check_entries(&self, faults: &mut Faults) {
        let lists: [(&str, &[String], &[&str], &str); 3] = [
            (
                "roles",
                &self.roles,
                &["arn:"],
                "must be the ARN of a role, or a pattern of ARNs",
            ),
            (
                "secrets",
                &self.secrets,
                &["aws_secretsmanager:", "aws_ssm:", "hashicorp_vault:"],
                "must begin with aws_secretsmanager:, aws_ssm: or hashicorp_vault:",
            ),
            (
                "galaxy_servers",
                &self.galaxy_servers,
                &["https://", "http://"],
                "must be the address of a Galaxy server",
            ),
        ];
        for (name, entries, starts, wrong) in lists {
            for (index, entry) in entries.iter().enumerate() {
                let fixed = entry.split_once('*').map(|(fixed, _)| fixed);
                let fits =
                    |start: &&str| entry.starts_with(*start) || fixed.is_some_and(|fixed| start.starts_with(fixed));
                if !starts.iter().any(fits) {
                    faults.add(format!("/{name}/{index}"), wrong);
                }
            }
        }
        for (index, host) in self.inventory_hosts.iter().enumerate() {
            if host.contains("://") {
                let right = "must be a host and no URL, as in \"cmdb.internal\"";
                faults.add(format!("/inventory_hosts/{index}"), right);
            }
        }
    }

    /// Returns the rule that allows a repository.
    #[must_use]
    pub fn repository(&self, repo: &RepoUrl) -> Option<&GitRule> {
        let mut rules = self.git.iter().filter(|_| !host_is_never_allowed(repo.bare_host()));
        rules.find(|rule| rule.allows(repo))
    }

    /// Returns the rules of which repositories may be used.
    #[must_use]
    pub fn git_rules(&self) -> &[GitRule] {
        &self.git
    }

    /// Tells whether an inventory or an archive may be fetched from a host with a private address.
    #[must_use]
    pub fn allows_private_host(&self, host: &str) -> bool {
        listed(&self.inventory_hosts, host)
    }

    /// Tells whether a listed Galaxy server has this host and port.
    #[must_use]
    pub fn has_galaxy_at(&self, host: &str, port: u16) -> bool {
        let is_there = |server: &String| {
            WebAddress::parse(server).is_ok_and(|known| known.port == port && known.host.eq_ignore_ascii_case(host))
        };
        self.galaxy_servers.iter().any(is_there)
    }

    /// Tells whether the worker may assume a role with its own identity.
    #[must_use]
    pub fn allows_role(&self, arn: &str) -> bool {
        listed(&self.roles, arn)
    }

    /// Tells whether the worker may read a secret with its own identity; `place` is `aws_secretsmanager:NAME` or `aws_ssm:NAME`.
    #[must_use]
    pub fn allows_secret(&self, place: &str) -> bool {
        listed(&self.secrets, place)
    }

    /// Adds a fault for everything of a request that the policy does not allow.
    pub fn check(&self, request: &JobRequest, faults: &mut Faults) {
        if let Some(git) = request.source.git() {
            self.check_git(git, "/source", faults);
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
                    self.check_inventory(one, &format!("/inventory/{index}"), faults);
                }
            }
            one => self.check_inventory(one, "/inventory", faults),
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
        self.check_credentials(request, faults);
    }

    /// Tells whether a Galaxy server may be asked.
    #[must_use]
    pub fn allows_galaxy(&self, server: &str) -> bool {
        let same = |known: &String| known.trim_end_matches('/') == server.trim_end_matches('/');
        self.galaxy_servers.iter().any(same) && !is_never_allowed(server)
    }

    /// Returns the Galaxy servers that may be asked, in order.
    #[must_use]
    pub fn galaxy_servers(&self) -> &[String] {
        &self.galaxy_servers
    }

    fn check_git(&self, git: GitSource<'_>, pointer: &str, faults: &mut Faults) {
        if let Ok(repo) = RepoUrl::parse(git.repo)
            && self.repository(&repo).is_none()
        {
            faults.add(format!("{pointer}/repo"), git_refusal(&repo));
        }
        if let Some(credential) = git.credential {
            self.check_reference(credential, &format!("{pointer}/git_credential"), faults);
        }
    }

    fn check_inventory(&self, inventory: &Inventory, pointer: &str, faults: &mut Faults) {
        let Inventory::Typed(typed) = inventory else { return };
        let credential = match typed {
            TypedInventory::Inline(_) => None,
            TypedInventory::Git(git) => return self.check_git(git.git(), pointer, faults),
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
            self.check_reference(credential, &format!("{pointer}/{name}"), faults);
        }
    }

    fn check_credentials(&self, request: &JobRequest, faults: &mut Faults) {
        if let Source::Typed(TypedSource::CollectionRole(role)) = &request.source
            && let Some(credential) = &role.galaxy_credential
        {
            self.check_reference(credential, "/source/galaxy_credential", faults);
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
                self.check_reference(credential, &format!("/credentials/{name}"), faults);
            }
        }
        let Some(CloudRef::Aws(aws)) = &access.cloud else {
            return;
        };
        match (&aws.credential, &aws.role_arn) {
            (Some(credential), _) => self.check_reference(credential, "/credentials/cloud/credential", faults),
            (None, Some(role)) if !self.allows_role(role) => {
                faults.add("/credentials/cloud/role_arn", refusal(role, "roles", role));
            }
            _ => {}
        }
    }

    fn check_reference(&self, credential: &CredentialRef, pointer: &str, faults: &mut Faults) {
        let CredentialRef::External(secret) = credential else {
            return;
        };
        let Some(place) = secret.place_of_own_identity() else {
            return;
        };
        if !self.allows_secret(&place) {
            faults.add(pointer, refusal(&place, "secrets", &place));
        }
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

impl ExternalSecret {
    /// Returns what the policy calls the secret, where the worker's own identity asks for it.
    #[must_use]
    pub fn place_of_own_identity(&self) -> Option<String> {
        match self {
            Self::AwsSecretsmanager {
                secret_id,
                cloud_credential: None,
                ..
            } => Some(format!("aws_secretsmanager:{secret_id}")),
            Self::AwsSsm {
                name,
                cloud_credential: None,
                ..
            } => Some(format!("aws_ssm:{name}")),
            _ => None,
        }
    }
}

fn refusal(what: &str, list: &str, entry: &str) -> String {
    format!(
        "{what:?} is not allowed here; an operator allows it by adding {entry:?} to {list:?} of the policy (--policy, CALLBOARD_POLICY)"
    )
}

/// Says that a Galaxy server is not allowed, and how it would be.
#[must_use]
pub fn galaxy_refusal(server: &str) -> String {
    if is_never_allowed(server) {
        return never(server);
    }
    refusal(server, "galaxy_servers", server)
}

/// Says how an operator allows a host with a private address, where inventories and archives come from.
#[must_use]
pub fn private_host_advice(host: &str) -> String {
    format!(
        "an operator allows it by adding {host:?} to \"inventory_hosts\" of the policy (--policy, CALLBOARD_POLICY)"
    )
}

fn is_never_allowed(url: &str) -> bool {
    WebAddress::parse(url).is_ok_and(|address| host_is_never_allowed(address.host))
}

/// Says that something is not allowed and that no policy allows it.
fn never(what: &str) -> String {
    format!("{what:?} has an address that is never allowed: one of a link, where clouds keep a machine's identity")
}

/// Tells whether a list has a text, or a pattern in which `*` stands for anything.
fn listed(list: &[String], text: &str) -> bool {
    list.iter().any(|pattern| matches(pattern, text))
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(start) else {
        return false;
    };
    (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allows(policy: &Value, repo: &str) -> bool {
        let policy = Policy::read(policy).unwrap_or_default();
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
        assert!(!allows(&Value::Null, "https://github.com/acme/site.git"));
        let spaced = json!({"git": ["dev.azure.com/contoso/my%20project"]});
        assert!(allows(&spaced, "https://dev.azure.com/contoso/my%20project/_git/r"));
        assert!(!allows(&spaced, "https://dev.azure.com/contoso/my/r"));
    }

    #[test]
    fn an_address_that_no_policy_allows_is_refused_without_advice() {
        let policy = json!({"git": ["169.254.169.254"], "galaxy_servers": ["http://169.254.169.254/", "http://[fd00:ec2::254]/"]});
        let policy = Policy::read(&policy).unwrap_or_default();
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
    fn a_pattern_stands_for_what_its_stars_leave_open() {
        for (pattern, text, expected) in [
            ("arn:aws:iam::1:role/deploy-*", "arn:aws:iam::1:role/deploy-web", true),
            ("arn:aws:iam::1:role/deploy-*", "arn:aws:iam::2:role/deploy-web", false),
            ("*", "", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("APP_X", "APP_Y", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_policy_that_says_what_is_not_known_is_refused() {
        for (policy, pointer) in [
            (json!({"gti": []}), "/gti"),
            (json!({"git": "github.com"}), "/git"),
            (json!({"git": [{"organisations": ["a"]}]}), "/git/0/host"),
            (json!({"roles": [1]}), "/roles/0"),
            (json!({"roles": ["deploy"]}), "/roles/0"),
            (json!({"secrets": ["foo"]}), "/secrets/0"),
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
            let faults = Policy::read(&policy).err().unwrap_or_default();
            assert_eq!(
                faults.first().map(|fault| fault.pointer.as_str()),
                Some(pointer),
                "{policy}"
            );
        }
    }
}
