//! Addresses of Git repositories: the accepted forms, and what they may contain.

use std::fmt;
use std::net::Ipv4Addr;

use callboard_core::base::fields::Faults;
use callboard_core::base::web_address::{decoded, parse_port};

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
    /// The path as it is sent.
    sent: String,
    /// The path as the host reads it.
    path: String,
}

impl RepoUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// The end of a sentence that says what is wrong. It does not repeat the address, which may hold a password.
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
        let (scheme, user, (authority, path)) = split(text)?;
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (authority, None),
        };
        match scheme {
            Scheme::Https if user.is_some() => return Err("must not hold a user or a password; name a git_credential"),
            Scheme::Ssh if user.is_some_and(|user| user.contains(':') || !is_name(user)) => {
                return Err("must not hold a password; name a git_credential");
            }
            _ => {}
        }
        if !is_name(host) || is_disguised(host) {
            return Err("must name a host");
        }
        Ok(Self {
            text: text.to_owned(),
            scheme,
            host: host.to_ascii_lowercase(),
            port,
            path: as_read(path)?,
            sent: path.to_owned(),
        })
    }

    /// Returns the address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns how the repository is reached.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the host without its port.
    #[must_use]
    pub fn bare_host(&self) -> &str {
        &self.host
    }

    /// Returns the host, with its port unless that is the scheme's default: `github.com`, `git.example.com:8443`.
    #[must_use]
    pub fn host(&self) -> String {
        match (self.scheme, self.port) {
            (_, None) | (Scheme::Https, Some(443)) | (Scheme::Ssh, Some(22)) => self.host.clone(),
            (_, Some(port)) => format!("{}:{port}", self.host),
        }
    }

    /// Returns the path as the host reads it: decoded, without slashes at its ends.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the address that a submodule's URL means in this repository; the URL may be relative to this address.
    ///
    /// # Errors
    /// As for [`RepoUrl::parse`].
    pub fn submodule(&self, url: &str) -> Result<Self, &'static str> {
        if !url.starts_with("./") && !url.starts_with("../") {
            return Self::parse(url);
        }
        let prefix = self.text.strip_suffix(&self.sent).unwrap_or(&self.text);
        let mut parts: Vec<&str> = self.sent.trim_end_matches('/').split('/').collect();
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
    Ok((Scheme::Ssh, Some(user), (host, path.strip_prefix('/').unwrap_or(path))))
}

/// Decodes a path once; the policy compares the result.
fn as_read(path: &str) -> Result<String, &'static str> {
    const WRONG: &str = "must name a repository by a path without empty parts, `.`, `..`, parts that begin with `-`, and escapes that \
                         encode any of these, slashes or other escapes";
    let parts = path.strip_suffix('/').unwrap_or(path).split('/').map(decoded);
    let parts: Option<Vec<String>> = parts.collect();
    let parts = parts.filter(|parts| !parts.iter().any(|part| part.starts_with('-')));
    parts.map(|parts| parts.join("/")).ok_or(WRONG)
}

/// Returns whether a host is a number that programs read as an IP address, but not in the usual dotted form.
fn is_disguised(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    number && host.parse::<Ipv4Addr>().is_err()
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

/// Returns whether a name is the full id of a commit.
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
                "org/my project/_git/inv",
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
            "https://h/acme/%2e%2e/other/r",
            "https://h/acme/%2E./other/r",
            "https://h/acme/..%2fother/r",
            "https://h/acme%2f..%2fother/r",
            "https://h/acme/%5c..%5cother/r",
            "https://h/acme/%252e%252e/other/r",
            "https://h/acme/./r",
            "https://h/acme//r",
            "https://h//acme/r",
            "https://h/acme/r//",
            "https://h/acme/%2d-x",
            "https://h/acme/%00",
            "https://h/acme/%zz",
            "https://h/acme/%c0%ae%c0%ae/other/r",
            "ssh://git@h/acme/%2e%2e/other/r",
            "git@h:acme/%2e%2e/other/r",
            "git@h://acme/r",
            "https://h:/r",
            "https://h:+443/r",
            "https://2852039166/r",
            "https://0x7f.1/r",
            "https://127.1/r",
            "https://010.0.0.1/r",
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
        let escaped = RepoUrl::parse("https://h/my%20acme/site.git/")?;
        assert_eq!(escaped.submodule("../r")?.as_str(), "https://h/my%20acme/r");
        assert!(https.submodule("../%2e%2e/other/r").is_err());
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
