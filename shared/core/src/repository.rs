//! Addresses of Git repositories: which forms are taken, and what may stand in them.

use std::fmt;

use crate::fields::Faults;

const MAX_REPO_BYTES: usize = 2048;
const MAX_REF_BYTES: usize = 255;
const MAX_PATH_BYTES: usize = 1024;

/// How a repository is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// `https://host/path`.
    Https,
    /// `ssh://user@host/path`, or `user@host:path`.
    Ssh,
}

/// The address of a repository, over https or ssh, without a password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RepoUrl {
    text: String,
    scheme: Scheme,
    host: String,
    port: Option<u16>,
    path: String,
}

impl RepoUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// A sentence's end that says what is wrong with it; it does not repeat the address, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > MAX_REPO_BYTES {
            return Err("must have 1 to 2048 bytes");
        }
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\\\"'`<>{}|^?#;$*".contains(&byte))
        {
            return Err(
                "must hold only characters that an address may have: no spaces, quotes, control characters, `?`, `#`",
            );
        }
        let (scheme, user, rest) = split(text)?;
        let (host, path) = rest;
        let (host, port) = match host.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| "must have a number as its port")?)),
            None => (host, None),
        };
        match scheme {
            Scheme::Https if user.is_some() => return Err("must not hold a user or a password; name a git_credential"),
            Scheme::Ssh if user.is_some_and(|user| user.contains(':') || !is_name(user)) => {
                return Err("must not hold a password; name a git_credential");
            }
            _ => {}
        }
        if !is_name(host) {
            return Err("must name a host");
        }
        let path = path.trim_matches('/');
        if path.is_empty()
            || path
                .split('/')
                .any(|part| part.is_empty() || part == "." || part == ".." || part.starts_with('-'))
        {
            return Err("must name a repository by a path without `.`, `..` or parts that begin with `-`");
        }
        Ok(Self {
            text: text.to_owned(),
            scheme,
            host: host.to_ascii_lowercase(),
            port,
            path: path.to_owned(),
        })
    }

    /// Returns the address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns how it is reached.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the host, with its port where that is not the scheme's own: `github.com`, `git.example.com:8443`.
    #[must_use]
    pub fn host(&self) -> String {
        match (self.scheme, self.port) {
            (_, None) | (Scheme::Https, Some(443)) | (Scheme::Ssh, Some(22)) => self.host.clone(),
            (_, Some(port)) => format!("{}:{port}", self.host),
        }
    }

    /// Returns the path, without slashes at its ends.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the address that a submodule's URL means in this repository: its own, or one relative to this.
    ///
    /// # Errors
    /// As for [`RepoUrl::parse`].
    pub fn submodule(&self, url: &str) -> Result<Self, &'static str> {
        if !url.starts_with("./") && !url.starts_with("../") {
            return Self::parse(url);
        }
        let prefix = self
            .text
            .trim_end_matches('/')
            .strip_suffix(&self.path)
            .unwrap_or(&self.text);
        let mut parts: Vec<&str> = self.path.split('/').collect();
        for part in url.split('/') {
            match part {
                "." | "" => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        Self::parse(&format!("{prefix}{}", parts.join("/")))
    }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

type Split<'a> = (Scheme, Option<&'a str>, (&'a str, &'a str));

fn split(text: &str) -> Result<Split<'_>, &'static str> {
    const FORMS: &str = "must be https://host/path, ssh://user@host/path or user@host:path";
    if let Some((scheme, rest)) = text.split_once("://") {
        let scheme = match scheme {
            "https" => Scheme::Https,
            "ssh" => Scheme::Ssh,
            _ => return Err(FORMS),
        };
        let (authority, path) = rest.split_once('/').ok_or(FORMS)?;
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        return Ok((scheme, user, (host, path)));
    }
    let (authority, path) = text.split_once(':').ok_or(FORMS)?;
    let (user, host) = authority.split_once('@').ok_or(FORMS)?;
    if path.starts_with(':') || host.contains('/') {
        return Err(FORMS);
    }
    Ok((Scheme::Ssh, Some(user), (host, path)))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['-', '.'])
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Checks the name of a branch or tag, or a commit's id, as `git check-ref-format` does.
pub fn check_ref(name: &str, pointer: &str, faults: &mut Faults) {
    let forbidden = |char: char| char.is_control() || " ~^:?*[\\".contains(char);
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    if name.len() > MAX_REF_BYTES {
        faults.add(pointer, format!("must have at most {MAX_REF_BYTES} bytes"));
    } else if name.starts_with('-')
        || name.ends_with('.')
        || name == "@"
        || name.contains("..")
        || name.contains("@{")
        || name.contains(forbidden)
        || name.split('/').any(bad_part)
    {
        faults.add(pointer, "must be the name of a branch or tag, or the id of a commit");
    }
}

/// Tells whether a name is the whole id of a commit.
#[must_use]
pub fn is_commit(name: &str) -> bool {
    matches!(name.len(), 40 | 64) && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Checks a path inside a repository.
pub fn check_path(path: &str, pointer: &str, faults: &mut Faults) {
    let bad = |part: &str| part == ".." || part.eq_ignore_ascii_case(".git");
    if path.len() > MAX_PATH_BYTES {
        faults.add(pointer, format!("must have at most {MAX_PATH_BYTES} bytes"));
    } else if path.starts_with(['/', '-', '~']) || path.contains(['\\', '\0']) || path.split('/').any(bad) {
        faults.add(
            pointer,
            "must be a path inside the repository: not absolute, without `..`, `.git` or a leading `-`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_addresses_are_taken_apart() {
        for (text, scheme, host, path) in [
            (
                "https://github.com/acme/site.git",
                Scheme::Https,
                "github.com",
                "acme/site.git",
            ),
            (
                "https://dev.azure.com/org/my%20project/_git/inv",
                Scheme::Https,
                "dev.azure.com",
                "org/my%20project/_git/inv",
            ),
            (
                "git@github.com:acme/site.git",
                Scheme::Ssh,
                "github.com",
                "acme/site.git",
            ),
            (
                "git@ssh.dev.azure.com:v3/org/p/r",
                Scheme::Ssh,
                "ssh.dev.azure.com",
                "v3/org/p/r",
            ),
            (
                "ssh://git@Git.example.com:2222/~me/r",
                Scheme::Ssh,
                "git.example.com:2222",
                "~me/r",
            ),
            ("https://git.example.com:443/r/", Scheme::Https, "git.example.com", "r"),
        ] {
            let url = RepoUrl::parse(text).unwrap_or_else(|error| unreachable!("{text} {error}"));
            assert_eq!(
                (url.scheme(), url.host().as_str(), url.path()),
                (scheme, host, path),
                "{text}"
            );
            assert_eq!(url.as_str(), text);
        }
    }

    #[test]
    fn what_could_be_an_option_a_command_a_file_or_carry_a_password_is_refused() {
        for text in [
            "",
            "-u",
            "--upload-pack=touch /tmp/x",
            "ext::sh -c id",
            "file:///etc/passwd",
            "/etc/passwd",
            "../x",
            "http://h/r",
            "git://h/r",
            "fd::17",
            "https://user:secret@h/r",
            "https://token@h/r",
            "ssh://git:pw@h/r",
            "ssh://-oProxyCommand=id/r",
            "https://h/../r",
            "https://h",
            "https://h/",
            "https:///r",
            "git@h:",
            "git@-h:r",
            "git@h:-r",
            "https://h/a b",
            "https://h/a\nb",
            "https://h/r?x=1",
            "https://h/r#x",
            "https://h:x/r",
            "a@b/c:d",
            "git@h::r",
            "https://h/$(id)",
        ] {
            assert!(RepoUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_address_of_a_submodule_may_be_relative() -> Result<(), &'static str> {
        let https = RepoUrl::parse("https://h/acme/site.git")?;
        assert_eq!(https.submodule("../roles.git")?.as_str(), "https://h/acme/roles.git");
        assert_eq!(https.submodule("../../other/r")?.as_str(), "https://h/other/r");
        assert_eq!(https.submodule("https://o/r")?.as_str(), "https://o/r");
        let ssh = RepoUrl::parse("git@h:acme/site.git")?;
        assert_eq!(ssh.submodule("../roles.git")?.as_str(), "git@h:acme/roles.git");
        assert!(https.submodule("ext::id").is_err());
        assert!(https.submodule("../../..").is_err());
        Ok(())
    }

    #[test]
    fn names_of_branches_and_paths_are_checked() {
        let faults_of = |check: fn(&str, &str, &mut Faults), text: &str| {
            let mut faults = Faults::default();
            check(text, "", &mut faults);
            faults.count()
        };
        for good in ["main", "v2.0.0", "feature/x-1", "5c7d8e", "@x"] {
            assert_eq!(faults_of(check_ref, good), 0, "{good}");
        }
        for bad in [
            "-x",
            "--upload-pack=x",
            "a..b",
            "a b",
            "a:b",
            "a\nb",
            "a/",
            "/a",
            "a.lock",
            "@",
            "a@{1}",
            "a\\b",
            ".a",
            "*",
        ] {
            assert_eq!(faults_of(check_ref, bad), 1, "{bad}");
        }
        for good in ["site.yml", "a/b c/d.yml", ".", "./x", "a/.github/x"] {
            assert_eq!(faults_of(check_path, good), 0, "{good}");
        }
        for bad in [
            "/etc/passwd",
            "../x",
            "a/../../x",
            "-x",
            ".git/config",
            "a/.GIT/x",
            "~/x",
            "a\\b",
        ] {
            assert_eq!(faults_of(check_path, bad), 1, "{bad}");
        }
    }
}
