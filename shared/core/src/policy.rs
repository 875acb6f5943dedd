//! What the operator of a deployment allows requests to reach: the one place where that is decided.

use serde_json::Value;

use crate::access::CloudRef;
use crate::fields::{Faults, FieldError, Fields};
use crate::inventory::{Inventory, TypedInventory};
use crate::json::escape;
use crate::reference::{CredentialRef, ExternalSecret};
use crate::repository::RepoUrl;
use crate::request::JobRequest;
use crate::source::{GitSource, Source, TypedSource};

const MAX_LINE_BYTES: usize = 2048;
const MAX_KNOWN_HOSTS_BYTES: usize = 64 * 1024;
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
}

/// Git repositories that may be used: those of a host, or of some of its organisations.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GitRule {
    host: String,
    organisations: Vec<String>,
    /// The host's keys for ssh, as lines of `known_hosts`.
    pub known_hosts: Option<String>,
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
        };
        fields.finish(&mut faults);
        faults.or(policy)
    }

    /// Returns the rule that allows a repository.
    #[must_use]
    pub fn repository(&self, repo: &RepoUrl) -> Option<&GitRule> {
        self.git.iter().find(|rule| rule.allows(repo))
    }

    /// Tells whether an inventory may be fetched from a host with a private address.
    #[must_use]
    pub fn allows_private_host(&self, host: &str) -> bool {
        listed(&self.inventory_hosts, host)
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
            faults.add("/source/galaxy_server", refusal(server, "galaxy_servers", server));
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

    fn allows_galaxy(&self, server: &str) -> bool {
        let same = |known: &String| known.trim_end_matches('/') == server.trim_end_matches('/');
        self.galaxy_servers.iter().any(same)
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

impl GitRule {
    fn allows(&self, repo: &RepoUrl) -> bool {
        let (host, path) = place(repo);
        let below = |organisation: &String| {
            let rest = path.to_ascii_lowercase();
            rest.strip_prefix(&organisation.to_ascii_lowercase())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        self.host == host && (self.organisations.is_empty() || self.organisations.iter().any(below))
    }
}

/// Azure DevOps has another host, and a prefix to its paths, for ssh.
fn place(repo: &RepoUrl) -> (String, &str) {
    let path = repo.path();
    match repo.host().as_str() {
        "ssh.dev.azure.com" => ("dev.azure.com".to_owned(), path.strip_prefix("v3/").unwrap_or(path)),
        host => (host.to_owned(), path.trim_start_matches('~')),
    }
}

/// Says that a repository is not allowed, and how it would be.
#[must_use]
pub fn git_refusal(repo: &RepoUrl) -> String {
    let (host, path) = place(repo);
    let organisation = path.split('/').next().unwrap_or_default();
    refusal(repo.as_str(), "git", &format!("{host}/{organisation}"))
}

fn refusal(what: &str, list: &str, entry: &str) -> String {
    format!(
        "{what:?} is not allowed here; an operator allows it by adding {entry:?} to {list:?} of the policy (CALLBOARD_POLICY)"
    )
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

fn read_rules(fields: &mut Fields<'_>, faults: &mut Faults) -> Vec<GitRule> {
    let pointer = fields.pointer("git");
    match fields.get("git") {
        None => Vec::new(),
        Some(Value::Array(items)) => {
            let numbered = items.iter().enumerate();
            numbered
                .filter_map(|(index, item)| read_rule(item, &format!("{pointer}/{index}"), faults))
                .collect()
        }
        Some(_) => {
            faults.add(
                pointer,
                "must be a list, as in [github.com/acme, {host: git.example.com}]",
            );
            Vec::new()
        }
    }
}

fn read_rule(value: &Value, pointer: &str, faults: &mut Faults) -> Option<GitRule> {
    let rule = if let Value::String(text) = value {
        let (host, organisation) = text.split_once('/').unwrap_or((text, ""));
        let organisation = organisation.trim_matches('/');
        GitRule {
            host: host.to_ascii_lowercase(),
            organisations: (!organisation.is_empty())
                .then(|| organisation.to_owned())
                .into_iter()
                .collect(),
            known_hosts: None,
        }
    } else {
        let mut fields = Fields::of(value, pointer, faults)?;
        let rule = GitRule {
            host: fields
                .required_line("host", 255, faults)
                .unwrap_or_default()
                .to_ascii_lowercase(),
            organisations: fields.lines("organisations", MAX_LINE_BYTES, faults),
            known_hosts: fields
                .text("known_hosts", MAX_KNOWN_HOSTS_BYTES, faults)
                .map(str::to_owned),
        };
        fields.finish(faults);
        rule
    };
    if rule.host.is_empty() || rule.host.contains(['/', '@', '*', ' ']) {
        faults.add(
            pointer,
            "must name a host, as in \"github.com/acme\" or {host: github.com, organisations: [acme]}",
        );
    }
    Some(rule)
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
        ] {
            assert!(!allows(&policy, repo), "{repo}");
        }
        assert!(!allows(&Value::Null, "https://github.com/acme/site.git"));
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
