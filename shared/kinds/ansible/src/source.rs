//! Sources: what a job runs, and where it comes from.

mod parse;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub(crate) use self::parse::GitFields;
use callboard_core::credential::{CredentialKind, CredentialRef, CredentialUse};

/// The maximum size of a playbook in a request, in bytes.
pub const MAX_INLINE_BYTES: usize = 1 << 20;

/// What a job runs: as a request says it, `playbook` or `source`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one in each job")]
pub enum Source {
    /// A playbook of the playbooks folder, by its path in the folder, or a playbook of a collection: `namespace.collection.name`.
    #[schema(title = "PlaybookRequest", example = "hello.yml")]
    Playbook(String),
    /// A job that runs anything else, described by `source`.
    #[schema(title = "SourceRequest")]
    #[serde(rename = "source")]
    Typed(TypedSource),
}

/// What a job runs.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TypedSource {
    /// A playbook of a Git repository or, without `repo`, of the playbooks folder.
    Playbook(PlaybookSource),
    /// A role of a Git repository or, without `repo`, an installed role. It runs on all hosts of the inventory.
    Role(RoleSource),
    /// A role of a collection from a Galaxy server, or of an installed collection. It runs on all hosts of the inventory.
    CollectionRole(CollectionRoleSource),
    /// A playbook in the request.
    Inline(InlineSource),
}

/// A playbook of a Git repository or, without `repo`, of the playbooks folder.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct PlaybookSource {
    /// The address of the repository: `https://host/path`, `ssh://user@host/path` or `user@host:path`. The host must be in the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 2048, example = "https://github.com/acme/site.git")]
    pub repo: Option<String>,
    /// A branch, a tag or a full commit id. Default: the repository's default branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub branch: Option<String>,
    /// The path of the playbook in the repository or in the playbooks folder. Without `repo`, it can also be the name of a
    /// collection's playbook.
    #[schema(min_length = 1, max_length = 1024, example = "deploy/webserver.yml")]
    pub path: String,
    /// A credential of kind `git`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_credential: Option<CredentialRef>,
    /// If true, also fetches submodules. The credential is used for those on the same host; for others only if it names their hosts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub submodules: bool,
}

/// A role of a Git repository or, without `repo`, an installed role.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct RoleSource {
    /// The same as for a playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    pub repo: Option<String>,
    /// The same as for a playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub branch: Option<String>,
    /// The folder of the role in the repository, or the folder of the collection that contains the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024, example = "roles/nginx")]
    pub path: Option<String>,
    /// The name of the role: in `roles/`, or in the collection if the repository is one. Namespace and collection are optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255, example = "acme.web.nginx")]
    pub role: Option<String>,
    /// Variables for the role. As in `extra_vars`, `{{ ... }}` in their values stays literal.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = callboard_core::request::Variables)]
    pub role_vars: Map<String, Value>,
    /// The same as for a playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_credential: Option<CredentialRef>,
    /// The same as for a playbook.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub submodules: bool,
}

/// A role of a collection from a Galaxy server, or of an installed collection.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct CollectionRoleSource {
    /// The name of the collection: `namespace.name`.
    #[schema(min_length = 1, max_length = 255, example = "community.general")]
    pub collection: String,
    /// The name of the role in the collection.
    #[schema(max_length = 255)]
    pub role: String,
    /// A version, or a version range as in `ansible-galaxy`: `>=6.0.0,<7`. Default: the installed version, or else the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255, example = ">=6.0.0")]
    pub version: Option<String>,
    /// The Galaxy server, which must be in the policy. Default: the servers that the policy lists, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048, example = "https://galaxy.ansible.com")]
    pub galaxy_server: Option<String>,
    /// A credential of kind `galaxy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub galaxy_credential: Option<CredentialRef>,
    /// Variables for the role. As in `extra_vars`, `{{ ... }}` in their values stays literal.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = callboard_core::request::Variables)]
    pub role_vars: Map<String, Value>,
}

/// A playbook in the request.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct InlineSource {
    /// The YAML text of the playbook, at most 1 MiB. Ansible gets exactly these bytes.
    #[schema(min_length = 1, max_length = 1_048_576)]
    pub content: String,
}

/// A repository that a source or an inventory comes from.
#[derive(Clone, Copy, Debug)]
pub struct GitSource<'a> {
    /// Its address.
    pub repo: &'a str,
    /// A branch, a tag or a commit.
    pub branch: Option<&'a str>,
    /// A credential of kind `git`.
    pub credential: Option<&'a CredentialRef>,
    /// Whether to fetch submodules as well.
    pub submodules: bool,
}

impl Default for Source {
    fn default() -> Self {
        Self::Playbook(String::new())
    }
}

impl Source {
    /// Returns the name that lists show: the playbook's path, or the role's name; `None` for a playbook in the request,
    /// which has no name.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let name = match self {
            Self::Playbook(path) | Self::Typed(TypedSource::Playbook(PlaybookSource { path, .. })) => path.clone(),
            Self::Typed(TypedSource::Role(role)) => role
                .role
                .as_ref()
                .or(role.path.as_ref())
                .or(role.repo.as_ref())?
                .clone(),
            Self::Typed(TypedSource::CollectionRole(role)) => format!("{}.{}", role.collection, role.role),
            Self::Typed(TypedSource::Inline(_)) => return None,
        };
        Some(name).filter(|name| !name.is_empty())
    }

    /// Returns the playbook's path, if it is a playbook of the playbooks folder.
    #[must_use]
    pub fn bundled(&self) -> Option<&str> {
        match self {
            Self::Playbook(path) => Some(path),
            Self::Typed(TypedSource::Playbook(source)) if source.repo.is_none() => Some(&source.path),
            Self::Typed(_) => None,
        }
    }

    /// Returns the repository that the source comes from, if any.
    #[must_use]
    pub fn git(&self) -> Option<GitSource<'_>> {
        let (repo, branch, credential, submodules) = match self {
            Self::Typed(TypedSource::Playbook(source)) => {
                (&source.repo, &source.branch, &source.git_credential, source.submodules)
            }
            Self::Typed(TypedSource::Role(source)) => {
                (&source.repo, &source.branch, &source.git_credential, source.submodules)
            }
            _ => return None,
        };
        Some(GitSource {
            repo: repo.as_deref()?,
            branch: branch.as_deref(),
            credential: credential.as_ref(),
            submodules,
        })
    }

    /// Adds the stored credentials that the source names.
    pub(crate) fn uses(&self, uses: &mut Vec<CredentialUse>) {
        if let Some(credential) = self.git().and_then(|git| git.credential) {
            credential.uses("/source/git_credential", &[CredentialKind::Git], uses);
        }
        if let Self::Typed(TypedSource::CollectionRole(role)) = self
            && let Some(credential) = &role.galaxy_credential
        {
            credential.uses("/source/galaxy_credential", &[CredentialKind::Galaxy], uses);
        }
    }
}
