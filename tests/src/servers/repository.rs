//! Repositories that are filled by the `git` program. The same commits have the same ids on every machine.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::ssh::SshServer;

/// The time of every commit and tag.
const DATE: &str = "1767225600 +0000";
const NAME: &str = "Callboard's tests";
const MAIL: &str = "tests@callboard.example";

/// A path in a repository, its content, and what the content means.
pub type File<'a> = (&'a str, &'a str, Mode);

/// The meaning of a [`File`]'s content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// The content of a regular file.
    Plain,
    /// The content of an executable file.
    Executable,
    /// The target of a symbolic link.
    Symlink,
    /// The commit id of a submodule. `.gitmodules`, which [`gitmodules`] makes, names its repository.
    Submodule,
    /// No content: the file is removed.
    Absent,
}

/// A bare repository on disk that the servers serve.
#[derive(Clone, Debug)]
pub struct Repository {
    path: PathBuf,
    url: String,
}

impl Repository {
    pub(super) fn open(path: PathBuf, url: String) -> anyhow::Result<Self> {
        if !path.exists() {
            fs::create_dir_all(&path)?;
            git(
                &path,
                &["init", "--quiet", "--bare", "--template=", "--initial-branch=main"],
                "",
            )?;
        }
        Ok(Self { path, url })
    }

    /// Returns its address on the Git server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns its address on the SSH server.
    #[must_use]
    pub fn ssh_url(&self, server: &SshServer) -> String {
        let path = self.path.display();
        format!("ssh://{}@{}:{}{path}", server.user, server.host, server.port)
    }

    /// Returns its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a commit to a branch, and starts the branch if there is none. Files that are not listed stay. Returns the commit's id.
    ///
    /// # Errors
    /// Git refuses.
    pub fn commit(&self, branch: &str, files: &[File<'_>]) -> anyhow::Result<String> {
        let name = format!("refs/heads/{branch}");
        let mut stream = format!("commit {name}\ncommitter {NAME} <{MAIL}> {DATE}\ndata 6\nChange\n");
        let parent = git(&self.path, &["for-each-ref", "--format=%(objectname)", &name], "")?;
        if !parent.is_empty() {
            writeln!(stream, "from {parent}")?;
        }
        for file in files {
            add(&mut stream, file)?;
        }
        git(&self.path, &["fast-import", "--quiet"], &stream)?;
        git(&self.path, &["rev-parse", "--verify", &name], "")
    }

    /// Makes a branch point to a commit, and creates it if necessary.
    ///
    /// # Errors
    /// Git refuses.
    pub fn branch(&self, name: &str, commit: &str) -> anyhow::Result<()> {
        git(&self.path, &["update-ref", &format!("refs/heads/{name}"), commit], "").map(drop)
    }

    /// Makes an annotated tag.
    ///
    /// # Errors
    /// Git refuses.
    pub fn tag(&self, name: &str, commit: &str) -> anyhow::Result<()> {
        git(&self.path, &["tag", "--annotate", "--message=Tag", name, commit], "").map(drop)
    }

    /// Makes a lightweight tag, which is only a name.
    ///
    /// # Errors
    /// Git refuses.
    pub fn lightweight_tag(&self, name: &str, commit: &str) -> anyhow::Result<()> {
        git(&self.path, &["tag", name, commit], "").map(drop)
    }

    /// Sets the branch that is used when none is named. It is `main` unless this is called.
    ///
    /// # Errors
    /// Git refuses.
    pub fn set_default_branch(&self, name: &str) -> anyhow::Result<()> {
        git(&self.path, &["symbolic-ref", "HEAD", &format!("refs/heads/{name}")], "").map(drop)
    }
}

/// Returns a `.gitmodules` file with one submodule.
#[must_use]
pub fn gitmodules(path: &str, url: &str) -> String {
    format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n")
}

/// Adds a file, in the format of `git fast-import`.
fn add(stream: &mut String, (path, content, mode): &File<'_>) -> anyhow::Result<()> {
    let path = quoted(path);
    let number = match mode {
        Mode::Plain => "100644",
        Mode::Executable => "100755",
        Mode::Symlink => "120000",
        Mode::Submodule => return Ok(writeln!(stream, "M 160000 {content} {path}")?),
        Mode::Absent => return Ok(writeln!(stream, "D {path}")?),
    };
    let size = content.len();
    Ok(writeln!(stream, "M {number} inline {path}\ndata {size}\n{content}")?)
}

fn quoted(path: &str) -> String {
    let path = path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{path}\"")
}

/// Runs git in a folder, without the user's own configuration, and returns its output.
fn git(folder: &Path, arguments: &[&str], input: &str) -> anyhow::Result<String> {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"GIT_") {
            command.env_remove(name);
        }
    }
    let mut child = command
        .current_dir(folder)
        .args(arguments)
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .envs([("GIT_AUTHOR_NAME", NAME), ("GIT_COMMITTER_NAME", NAME)])
        .envs([("GIT_AUTHOR_EMAIL", MAIL), ("GIT_COMMITTER_EMAIL", MAIL)])
        .envs([("GIT_AUTHOR_DATE", DATE), ("GIT_COMMITTER_DATE", DATE)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("git is needed")?;
    let mut stdin = child.stdin.take().context("standard input is piped")?;
    let written = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {arguments:?}: {errors}");
    written?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
