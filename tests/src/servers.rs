//! The real servers that requests refer to: Git over HTTPS, OpenSSH, a Galaxy server, and one that serves inventories.
//!
//! `tests/servers/main.py` starts the servers that a test asks for, on their own ports and in their own folder.

mod cmdb;
mod galaxy;
mod git;
mod process;
mod repository;
mod requests;
mod ssh;

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;

pub use self::cmdb::CmdbServer;
pub use self::galaxy::GalaxyServer;
pub use self::git::{Area, GitServer};
use self::process::Process;
pub use self::repository::{File, Mode, Repository, gitmodules};
pub use self::requests::{Request, RequestLog};
pub use self::ssh::{Keys, SshServer};

/// The servers that can be started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// [`GitServer`]
    Git,
    /// [`SshServer`]
    Ssh,
    /// [`GalaxyServer`]
    Galaxy,
    /// [`CmdbServer`]
    Cmdb,
}

/// The servers that a test asked for. Dropping this ends them and deletes their files.
pub struct Servers {
    authority: PathBuf,
    git: Option<GitServer>,
    ssh: Option<SshServer>,
    galaxy: Option<GalaxyServer>,
    cmdb: Option<CmdbServer>,
    // The process must end before its folder is deleted.
    _process: Process,
    folder: TempDir,
}

impl Servers {
    /// Starts servers and waits until all are ready.
    ///
    /// # Errors
    /// A required program is missing, or a server does not start; the error says which.
    pub fn start(parts: &[Part]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (process, ready) = Process::start(&folder.path().join("servers"), parts)?;
        let repositories = PathBuf::from(text(&ready, "repositories")?);
        let git = ready.get("git").map(|part| GitServer::read(part, repositories));
        Ok(Self {
            authority: text(&ready, "authority")?.into(),
            git: git.transpose()?,
            ssh: ready.get("ssh").map(SshServer::read).transpose()?,
            galaxy: ready.get("galaxy").map(GalaxyServer::read).transpose()?,
            cmdb: ready.get("cmdb").map(CmdbServer::read).transpose()?,
            _process: process,
            folder,
        })
    }

    /// Returns the PEM file of the authority that has signed the certificates of all TLS servers.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// Returns the folder with all files of the servers.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the Git server.
    ///
    /// # Errors
    /// It was not started.
    pub fn git(&self) -> anyhow::Result<&GitServer> {
        self.git.as_ref().context("the Git server was not started")
    }

    /// Returns the SSH server.
    ///
    /// # Errors
    /// It was not started.
    pub fn ssh(&self) -> anyhow::Result<&SshServer> {
        self.ssh.as_ref().context("the SSH server was not started")
    }

    /// Returns the Galaxy server.
    ///
    /// # Errors
    /// It was not started.
    pub fn galaxy(&self) -> anyhow::Result<&GalaxyServer> {
        self.galaxy.as_ref().context("the Galaxy server was not started")
    }

    /// Returns the inventory server.
    ///
    /// # Errors
    /// It was not started.
    pub fn cmdb(&self) -> anyhow::Result<&CmdbServer> {
        self.cmdb.as_ref().context("the inventory server was not started")
    }
}

impl Part {
    fn flag(self) -> &'static str {
        match self {
            Self::Git => "--git",
            Self::Ssh => "--ssh",
            Self::Galaxy => "--galaxy",
            Self::Cmdb => "--cmdb",
        }
    }
}

/// Returns a text value from the servers' start-up report.
fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    let found = value[name].as_str().map(str::to_owned);
    found.with_context(|| format!("the servers do not tell `{name}`"))
}
