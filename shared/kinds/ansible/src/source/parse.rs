//! Reads a source.

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::web_address::WebAddress;
use callboard_core::credential::CredentialRef;
use serde_json::{Map, Value};

use super::{CollectionRoleSource, InlineSource, MAX_INLINE_BYTES, PlaybookSource, RoleSource, Source, TypedSource};
use crate::repository::{RepoUrl, check_path, check_ref};
use crate::variables::check_reserved;

const MAX_NAME_BYTES: usize = 255;
const MAX_PATH_BYTES: usize = 1024;
const MAX_URL_BYTES: usize = 2048;

impl Source {
    /// Reads `playbook` or `source`; one of them is required.
    pub(crate) fn parse(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        match (fields.get("playbook").is_some(), fields.get("source")) {
            (true, Some(_)) => {
                faults.add("/source", "and playbook exclude each other: give one of them");
                None
            }
            (false, Some(source)) => TypedSource::parse(source, "/source", faults).map(Self::Typed),
            (true, None) => {
                let path = fields.line("playbook", MAX_PATH_BYTES, faults)?;
                check_bundled(path, "/playbook", faults);
                Some(Self::Playbook(path.to_owned()))
            }
            (false, None) => {
                faults.add(
                    "/playbook",
                    "is missing: name a file of the playbooks folder or a playbook of a collection, or give a source",
                );
                None
            }
        }
    }
}

impl TypedSource {
    fn parse(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        const KNOWN: [&str; 4] = ["playbook", "role", "collection_role", "inline"];
        let mut fields = Fields::of(value, pointer, faults)?;
        let source = match fields.variant("type", &KNOWN, faults)? {
            "playbook" => Self::Playbook(PlaybookSource::parse(&mut fields, faults)),
            "role" => Self::Role(RoleSource::parse(&mut fields, faults)),
            "collection_role" => Self::CollectionRole(CollectionRoleSource::parse(&mut fields, faults)),
            _ => Self::Inline(InlineSource::parse(&mut fields, faults)),
        };
        fields.finish(faults);
        Some(source)
    }
}

/// The fields that locate a repository.
pub(crate) struct GitFields {
    pub(crate) repo: Option<String>,
    pub(crate) branch: Option<String>,
    pub(crate) credential: Option<CredentialRef>,
    pub(crate) submodules: bool,
}

impl GitFields {
    /// Reads the fields; without `repo`, the others are faults.
    pub(crate) fn parse(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let repo = fields.line("repo", MAX_URL_BYTES, faults);
        if let Some(Err(wrong)) = repo.map(RepoUrl::parse) {
            faults.add(fields.pointer("repo"), wrong);
        }
        let branch = fields.line("branch", MAX_PATH_BYTES, faults);
        if let Some(branch) = branch {
            check_ref(branch, &fields.pointer("branch"), faults);
        }
        let credential = CredentialRef::field(fields, "git_credential", faults);
        let submodules = fields.boolean("submodules", faults);
        if fields.get("repo").is_none() {
            for name in ["branch", "git_credential", "submodules"] {
                if fields.get(name).is_some() {
                    faults.add(fields.pointer(name), "needs a repo");
                }
            }
        }
        Self {
            repo: repo.map(str::to_owned),
            branch: branch.map(str::to_owned),
            credential,
            submodules,
        }
    }
}

impl PlaybookSource {
    fn parse(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let git = GitFields::parse(fields, faults);
        let path = fields.required_line("path", MAX_PATH_BYTES, faults).unwrap_or_default();
        let pointer = fields.pointer("path");
        match git.repo {
            Some(_) => check_path(path, &pointer, faults),
            None => check_bundled(path, &pointer, faults),
        }
        Self {
            repo: git.repo,
            branch: git.branch,
            path: path.to_owned(),
            git_credential: git.credential,
            submodules: git.submodules,
        }
    }
}

impl RoleSource {
    fn parse(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let git = GitFields::parse(fields, faults);
        let path = fields.line("path", MAX_PATH_BYTES, faults);
        if let Some(path) = path {
            check_path(path, &fields.pointer("path"), faults);
        }
        let role = fields.line("role", MAX_NAME_BYTES, faults);
        if let Some(role) = role {
            check_role(role, &fields.pointer("role"), faults);
        }
        if git.repo.is_none() {
            if fields.get("path").is_some() {
                faults.add(fields.pointer("path"), "needs a repo; name an installed role with role");
            } else if fields.get("role").is_none() {
                faults.add(
                    fields.pointer("role"),
                    "is missing: give repo and path, or the name of an installed role",
                );
            }
        }
        Self {
            repo: git.repo,
            branch: git.branch,
            path: path.map(str::to_owned),
            role: role.map(str::to_owned),
            role_vars: role_vars(fields, faults),
            git_credential: git.credential,
            submodules: git.submodules,
        }
    }
}

impl CollectionRoleSource {
    fn parse(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let mut text = |name, faults: &mut Faults| {
            let line = fields.required_line(name, MAX_NAME_BYTES, faults);
            line.map(|line| (line.to_owned(), fields.pointer(name)))
        };
        let collection = text("collection", faults);
        let role = text("role", faults);
        if let Some((name, pointer)) = &collection
            && !(name.split('.').count() == 2 && name.split('.').all(is_identifier))
        {
            faults.add(pointer.as_str(), "must be namespace.name, as in \"community.general\"");
        }
        if let Some((name, pointer)) = &role
            && !name.split('.').all(is_identifier)
        {
            faults.add(pointer.as_str(), "must be the name of a role in the collection");
        }
        let version = fields.line("version", MAX_NAME_BYTES, faults);
        if version.is_some_and(|version| !is_range(version)) {
            let right = "must be a version or a range, as in \"1.2.0\" or \">=6.0.0,<7\"";
            faults.add(fields.pointer("version"), right);
        }
        let server = fields.line("galaxy_server", MAX_URL_BYTES, faults);
        if let Some(Err(wrong)) = server.map(check_server) {
            faults.add(fields.pointer("galaxy_server"), wrong);
        }
        let credential = CredentialRef::field(fields, "galaxy_credential", faults);
        if credential.is_some() && server.is_none() {
            faults.add(fields.pointer("galaxy_credential"), "needs a galaxy_server");
        }
        Self {
            collection: collection.map(|found| found.0).unwrap_or_default(),
            role: role.map(|found| found.0).unwrap_or_default(),
            version: version.map(str::to_owned),
            galaxy_server: server.map(str::to_owned),
            galaxy_credential: credential,
            role_vars: role_vars(fields, faults),
        }
    }
}

impl InlineSource {
    fn parse(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        if fields.get("content").is_none() {
            faults.add(fields.pointer("content"), "is missing: the playbook's YAML");
        }
        let content = fields.text("content", MAX_INLINE_BYTES, faults).unwrap_or_default();
        if !content.is_empty() && content.trim().is_empty() {
            faults.add(fields.pointer("content"), "must hold a playbook");
        }
        Self {
            content: content.to_owned(),
        }
    }
}

fn check_bundled(path: &str, pointer: &str, faults: &mut Faults) {
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        faults.add(
            pointer,
            "must be a path inside the playbooks folder: not absolute and without `..`",
        );
    }
}

fn check_role(role: &str, pointer: &str, faults: &mut Faults) {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if role.starts_with(['-', '.']) || role.contains("..") || !role.bytes().all(good) {
        faults.add(
            pointer,
            "must be the name of a role, as in \"nginx\" or \"acme.web.nginx\"",
        );
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_range(version: &str) -> bool {
    version.split(',').all(|part| {
        let number = part.trim().trim_start_matches(['>', '<', '=', '!']);
        part == "*"
            || (!number.is_empty()
                && number
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte)))
                && !number.starts_with(['-', '+', '.'])
    })
}

fn check_server(server: &str) -> Result<(), &'static str> {
    let address = WebAddress::parse(server)?;
    if address.rest.contains(|char: char| "?#\"'%".contains(char)) {
        return Err("must be the address of a Galaxy server, without a query");
    }
    Ok(())
}

fn role_vars(fields: &mut Fields<'_>, faults: &mut Faults) -> Map<String, Value> {
    let vars = fields.object("role_vars", faults).cloned().unwrap_or_default();
    check_reserved(&vars, &fields.pointer("role_vars"), faults);
    vars
}
