//! Checks what requirements name before ansible-galaxy runs, to refuse with a clear message what is plainly not allowed. The
//! gate refuses the rest: what this reads differently from ansible-galaxy, and what it does not see, such as what a role or a
//! collection requires in turn.

use std::path::Path;

use callboard_core::base::web_address::WebAddress;
use callboard_kind_ansible::policy::{AnsiblePolicy, galaxy_refusal, git_refusal};
use callboard_kind_ansible::repository::RepoUrl;
use callboard_process::files::read_bounded;
use serde_json::{Map, Value};

use crate::archive;

/// Larger files are not read.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// Where requirements are installed from, and what they may name.
pub(super) struct Entries<'a> {
    pub(super) folder: &'a Path,
    /// Whether what they name must stay inside the folder.
    pub(super) is_fetched: bool,
    pub(super) policy: &'a AnsiblePolicy,
}

impl Entries<'_> {
    /// Checks everything that a file names; the error is the end of a sentence.
    pub(super) fn check(&self, file: &Path) -> Result<(), String> {
        match read(file) {
            Value::Array(roles) => self.each(&roles, Self::role),
            Value::Object(parts) => {
                let part = |name: &str| parts.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                self.each(part("roles"), Self::role)?;
                self.each(part("collections"), Self::collection)
            }
            // ansible-galaxy reports what is wrong with the file
            _ => Ok(()),
        }
    }

    fn each(&self, entries: &[Value], check: impl Fn(&Self, &Value) -> Result<(), String>) -> Result<(), String> {
        entries.iter().try_for_each(|entry| check(self, entry))
    }

    fn role(&self, entry: &Value) -> Result<(), String> {
        let field = |name: &str| entry.get(name).and_then(Value::as_str);
        if let Some(include) = field("include") {
            self.path(include)?;
            return match read(&self.folder.join(include)) {
                Value::Array(roles) => self.each(&roles, |entries, role| match role.get("include") {
                    Some(_) => Ok(()),
                    None => entries.role(role),
                }),
                _ => Ok(()),
            };
        }
        let named = || field("src").or_else(|| field("role")).or_else(|| field("name"));
        let Some(text) = entry.as_str().or_else(named) else {
            return Ok(());
        };
        let text = if entry.is_string() {
            text.split(',').next().unwrap_or(text).trim()
        } else {
            text
        };
        let (scm, source) = text.split_once('+').unwrap_or((field("scm").unwrap_or_default(), text));
        let of_github = source.contains("github.com") && source.contains("http") && !source.ends_with(".tar.gz");
        match scm {
            "git" => self.repository(source),
            "hg" => Err(format!(
                "{source:?} is a Mercurial repository; only Git repositories are allowed here"
            )),
            _ if of_github => self.repository(source),
            _ if source.contains("://") => self.archive(source),
            _ if self.folder.join(source).is_file() => self.path(source),
            _ => self.galaxy(source, None),
        }
    }

    fn collection(&self, entry: &Value) -> Result<(), String> {
        let none = Map::new();
        let fields = entry.as_object().unwrap_or(&none);
        let field = |name: &str| fields.get(name).and_then(Value::as_str);
        let name = entry.as_str().or_else(|| field("name")).unwrap_or_default();
        let source = field("source");
        let pointer = source
            .filter(|source| kind(source, self.folder).is_some_and(|kind| kind != "url"))
            .unwrap_or(name);
        match field("type").or_else(|| kind(pointer, self.folder)) {
            Some("git") => self.repository(source.unwrap_or(name)),
            Some("url") => self.archive(source.unwrap_or(name)),
            Some("file" | "dir" | "subdirs") => self.path(source.unwrap_or(name)),
            _ => self.galaxy(name, source),
        }
    }

    /// Checks a repository's address. A `git+`, a version after a comma and a folder after a `#` are ansible-galaxy's additions.
    fn repository(&self, text: &str) -> Result<(), String> {
        let address = text.strip_prefix("git+").unwrap_or(text);
        let address = address.split([',', '#']).next().unwrap_or(address);
        let repo = RepoUrl::parse(address)
            .map_err(|wrong| format!("a repository {}has an address that {wrong}", shown(address)))?;
        match self.policy.repository(&repo) {
            Some(_) => Ok(()),
            None => Err(git_refusal(&repo)),
        }
    }

    fn archive(&self, url: &str) -> Result<(), String> {
        let parsed = WebAddress::parse(url);
        parsed
            .map(drop)
            .map_err(|wrong| format!("an archive {}has an address that {wrong}", shown(url)))
    }

    fn path(&self, path: &str) -> Result<(), String> {
        let is_inside = !self.is_fetched || archive::inside(self.folder, path).is_some();
        // ansible-galaxy reports a path that does not exist
        let is_absent = !self.folder.join(path).exists() && !path.starts_with(['/', '~']) && !path.contains("..");
        if is_inside || is_absent {
            return Ok(());
        }
        Err(format!("{path:?} leads out of the folder that the requirements are in"))
    }

    fn galaxy(&self, name: &str, source: Option<&str>) -> Result<(), String> {
        match source.filter(|source| source.contains("://")) {
            Some(server) if !self.policy.allows_galaxy(server) => Err(format!(
                "{name:?} comes from a Galaxy server: {}",
                galaxy_refusal(server)
            )),
            None if self.policy.galaxy_servers().is_empty() => Err(format!(
                "{name:?} comes from a Galaxy server, and \"galaxy_servers\" of the policy lists none"
            )),
            _ => Ok(()),
        }
    }
}

/// Returns the type that ansible-galaxy assumes for a name or a source that states none.
fn kind(text: &str, folder: &Path) -> Option<&'static str> {
    let at = folder.join(text);
    match text {
        "" => None,
        _ if text.starts_with("git+") || text.starts_with("git@") => Some("git"),
        _ if text.starts_with("https://") || text.starts_with("http://") => Some("url"),
        _ if at.is_file() => Some("file"),
        _ if at.is_dir() => Some("dir"),
        _ => None,
    }
}

/// Returns an address as a message may show it. It may be no address at all; one that may hold a password is not shown.
fn shown(address: &str) -> String {
    if address.contains('@') || address.chars().any(char::is_control) || address.len() > 200 {
        return String::new();
    }
    format!("{address:?} ")
}

fn read(file: &Path) -> Value {
    let content = read_bounded(file, MAX_BYTES).ok().flatten().unwrap_or_default();
    parse(&content).unwrap_or_default()
}

/// Reads requirements as ansible-galaxy does, of whose keys the last one counts; `None` if they are not YAML.
pub(super) fn parse(content: &[u8]) -> Option<Value> {
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    serde_saphyr::from_str_with_options(str::from_utf8(content).ok()?, options).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Entries, each with a part of its refusal; the part is empty if the entry is allowed.
    const ROLES: [(&str, &str); 21] = [
        ("acme.nginx", ""),
        ("{role: acme.nginx}", ""),
        ("{src: 'https://github.com/acme/nginx', version: main}", ""),
        ("{src: 'git+https://github.com/acme/nginx.git', name: x}", ""),
        ("git+ssh://git@github.com/acme/nginx.git,v1,nginx", ""),
        ("{src: 'git@github.com:acme/nginx.git', scm: git}", ""),
        ("{src: 'https://files.example.com/role.tar.gz'}", ""),
        ("{src: inner.tar.gz}", ""),
        ("{include: more.yml}", "\"github.com/other\" to \"git\""),
        ("{src: 'https://github.com/other/x'}", "adding \"github.com/other\""),
        (
            "{src: 'https://github.com/acme/%2e%2e/other/x', scm: git}",
            "must name a repository by a path",
        ),
        (
            "{src: 'https://127.0.0.1:8080/acme/x.git', scm: git}",
            "adding \"127.0.0.1:8080/acme\"",
        ),
        ("{src: 'http://github.com/acme/x', scm: git}", "must be https://"),
        ("{src: 'ext::sh -c id', scm: git}", "must hold only characters"),
        ("{src: '--upload-pack=id', scm: git}", "has an address that"),
        (
            "{src: 'https://user:hunter2@github.com/acme/x', scm: git}",
            "must not hold a user or a password",
        ),
        (
            "{src: 'file:///etc/role.tar.gz'}",
            "must begin with https:// or http://",
        ),
        ("{src: 'https://hg.example.com/x', scm: hg}", "Mercurial"),
        ("hg+https://hg.example.com/x", "Mercurial"),
        ("{src: /etc/passwd}", "\"/etc/passwd\" leads out"),
        ("{include: ../outside.yml}", "\"../outside.yml\" leads out"),
    ];
    const COLLECTIONS: [(&str, &str); 18] = [
        ("acme.web", ""),
        ("{name: acme.web, version: '>=1'}", ""),
        ("{name: acme.web, source: 'https://hub.example.com/api'}", ""),
        ("{name: acme.web, source: a_server_of_the_configuration}", ""),
        ("{name: 'https://github.com/acme/web.git', type: git}", ""),
        (
            "{name: acme.web, source: 'git+https://github.com/acme/web#/sub,v1', type: git}",
            "",
        ),
        ("git@github.com:acme/web.git", ""),
        ("{name: inner.tar.gz, type: file}", ""),
        ("{name: ./inner, type: dir}", ""),
        (
            "{name: 'https://files.example.com/acme-web-1.0.0.tar.gz', type: url}",
            "",
        ),
        (
            "{name: acme.web, source: 'http://127.0.0.1:8080/'}",
            "adding \"http://127.0.0.1:8080/\" to \"galaxy_servers\"",
        ),
        ("{name: acme.web, source: 'http://169.254.169.254/'}", "never allowed"),
        (
            "{name: 'git+https://github.com/other/web'}",
            "adding \"github.com/other\"",
        ),
        (
            "{name: acme.web, source: 'git@github.com:other/web'}",
            "adding \"github.com/other\"",
        ),
        ("{name: 'git+file:///etc', type: git}", "must be https://"),
        ("{name: /etc, type: dir}", "\"/etc\" leads out"),
        ("{name: ../outside, type: subdirs}", "\"../outside\" leads out"),
        (
            "{name: 'ftp://x/y.tar.gz', type: url}",
            "must begin with https:// or http://",
        ),
    ];

    #[test]
    fn every_kind_of_entry_is_held_to_the_rules_of_its_kind() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().join("source");
        for (name, content) in [
            ("source/inner.tar.gz", ""),
            ("source/inner/galaxy.yml", ""),
            ("source/more.yml", "- {src: 'https://github.com/other/x'}"),
            ("outside.yml", "[]"),
            ("outside/x", ""),
        ] {
            fs::create_dir_all(folder.path().join(name).parent().unwrap_or(&root))?;
            fs::write(folder.path().join(name), content)?;
        }
        let policy = serde_json::json!({"git": ["github.com/acme"], "galaxy_servers": ["https://hub.example.com/api/", "http://169.254.169.254/"]});
        let policy = AnsiblePolicy::parse(&policy).unwrap_or_default();
        let entries = Entries {
            folder: &root,
            is_fetched: true,
            policy: &policy,
        };
        let file = root.join("requirements.yml");
        let check = |content: String, told: &str| -> std::io::Result<()> {
            fs::write(&file, &content)?;
            let said = entries.check(&file).err().unwrap_or_default();
            assert!(
                if told.is_empty() {
                    said.is_empty()
                } else {
                    said.contains(told)
                },
                "{content}: {said}"
            );
            assert!(!said.contains("hunter2"), "{said}");
            Ok(())
        };
        for (entry, told) in ROLES {
            check(format!("- {entry}\n"), told)?;
            check(format!("roles:\n- {entry}\n"), told)?;
        }
        for (entry, told) in COLLECTIONS {
            check(format!("collections:\n- {entry}\n"), told)?;
        }
        for content in ["collections: 7\n", "x: [\n", "", "word\n", "roles: [{}, [], 7]\n"] {
            check(content.to_owned(), "")?;
        }
        let closed = AnsiblePolicy::parse(&serde_json::json!({"galaxy_servers": []})).unwrap_or_default();
        fs::write(&file, "collections: [acme.web]\n")?;
        let told = Entries {
            folder: &root,
            is_fetched: false,
            policy: &closed,
        }
        .check(&file);
        assert!(told.is_err_and(|told| told.contains("lists none")));
        Ok(())
    }
}
