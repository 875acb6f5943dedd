//! The Git server: git's own `http-backend` behind HTTPS.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::repository::{File, Repository};
use super::requests::{Request, RequestLog};
use super::text;

/// The server. Besides the areas it has `/redirect/...`, which redirects to the same path on [`GitServer::other_url`],
/// `/broken/...`, which answers with 500, and `/slow/...`, which never answers.
#[derive(Clone, Debug)]
pub struct GitServer {
    /// The address, such as `https://127.0.0.1:1234`.
    pub url: String,
    /// The address of a second server, with the same repositories and another name.
    pub other_url: String,
    /// The user who may read [`Area::Private`].
    pub user: String,
    /// The user's token.
    pub token: String,
    /// The log of the requests that both servers received.
    pub log: RequestLog,
    folder: PathBuf,
}

/// The area of a repository, which determines who may read it and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Area {
    /// Anyone may read it.
    Public,
    /// Only the user with the token may read it.
    Private,
    /// Anyone may read it, from a server that supports neither protocol version 2 nor commits that no reference points to.
    Strict,
}

impl GitServer {
    pub(super) fn read(part: &Value, folder: PathBuf) -> anyhow::Result<Self> {
        Ok(Self {
            url: text(part, "url")?,
            other_url: text(part, "other_url")?,
            user: text(part, "user")?,
            token: text(part, "token")?,
            log: RequestLog::read(part)?,
            folder,
        })
    }

    /// Returns a repository, and creates it if it is new. The name may contain folders, as in `team/site`.
    ///
    /// # Errors
    /// The repository cannot be created.
    pub fn repository(&self, area: Area, name: &str) -> anyhow::Result<Repository> {
        let path = format!("{area}/{name}.git");
        Repository::open(self.folder.join(&path), format!("{}/{path}", self.url))
    }

    /// Commits files to `main` of a public repository; returns the commit's id.
    ///
    /// # Errors
    /// Git refuses.
    pub fn publish(&self, name: &str, files: &[File<'_>]) -> anyhow::Result<String> {
        self.repository(Area::Public, name)?.commit("main", files)
    }

    /// Commits files to `main` of a private repository; returns the commit's id.
    ///
    /// # Errors
    /// Git refuses.
    pub fn publish_private(&self, name: &str, files: &[File<'_>]) -> anyhow::Result<String> {
        self.repository(Area::Private, name)?.commit("main", files)
    }

    /// Returns the requests for a repository, in any area.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn requests(&self, name: &str) -> anyhow::Result<Vec<Request>> {
        let starts = [Area::Public, Area::Private, Area::Strict].map(|area| format!("/{area}/{name}.git/"));
        let mut requests = self.log.requests()?;
        requests.retain(|request| starts.iter().any(|start| request.path.starts_with(start)));
        Ok(requests)
    }

    /// Returns how often the references of a repository were listed. `git ls-remote` does that, and so does a `git fetch` that
    /// is given a name or must find out what both sides have in common.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn listings(&self, name: &str) -> anyhow::Result<usize> {
        self.count(name, "ls-refs")
    }

    /// Returns how often commits of a repository were fetched.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn fetches(&self, name: &str) -> anyhow::Result<usize> {
        self.count(name, "fetch")
    }

    fn count(&self, name: &str, command: &str) -> anyhow::Result<usize> {
        let requests = self.requests(name)?;
        let alike = |request: &&Request| request.command.as_deref() == Some(command);
        Ok(requests.iter().filter(alike).count())
    }
}

impl fmt::Display for Area {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Strict => "strict",
        })
    }
}
