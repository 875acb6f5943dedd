//! The SSH server: OpenSSH's `sshd`, for the user who runs the tests.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use rustix::process::Signal;
use serde_json::Value;

use super::text;
use crate::{processes, wait};

/// The server: a host for Ansible, and a Git server with the repositories of [`super::GitServer`]. It accepts keys but
/// no passwords.
#[derive(Clone, Debug)]
pub struct SshServer {
    /// The address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The only user.
    pub user: String,
    /// The keys of clients.
    pub keys: Keys,
    /// A `known_hosts` line with the server's key.
    pub known_hosts: String,
    /// A `known_hosts` line with another key, which the server uses after [`SshServer::change_key`].
    pub wrong_known_hosts: String,
    /// The user's home folder on the server.
    pub home: PathBuf,
    folder: PathBuf,
    log: PathBuf,
}

/// The keys of clients, as the contents of their files.
#[derive(Clone, Debug)]
pub struct Keys {
    /// A private key that the server accepts.
    pub plain: String,
    /// An encrypted private key that the server accepts.
    pub encrypted: String,
    /// The passphrase of the encrypted key.
    pub passphrase: String,
    /// A private key that the server accepts only together with the certificate.
    pub certified: String,
    /// The certificate.
    pub certificate: String,
    /// A private key that the server does not accept.
    pub stranger: String,
}

impl SshServer {
    pub(super) fn read(part: &Value) -> anyhow::Result<Self> {
        let port = part["port"].as_u64().context("the SSH server tells no port")?;
        Ok(Self {
            host: text(part, "host")?,
            port: port.try_into()?,
            user: text(part, "user")?,
            keys: Keys::read(part)?,
            known_hosts: text(part, "known_hosts")?,
            wrong_known_hosts: text(part, "wrong_known_hosts")?,
            home: text(part, "home")?.into(),
            folder: text(part, "folder")?.into(),
            log: text(part, "log")?.into(),
        })
    }

    /// Returns the server's log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// Replaces the server's host key with the one in `wrong_known_hosts`.
    ///
    /// # Errors
    /// The server does not start again.
    pub async fn change_key(&self) -> anyhow::Result<()> {
        fs::copy(self.folder.join("stranger"), self.folder.join("host"))?;
        let configuration = self.folder.join("sshd_config").display().to_string();
        let [server] = processes::with_marker(&configuration)[..] else {
            anyhow::bail!("no sshd, or several, with {configuration}");
        };
        let listens = || self.log().map_or(0, |log| log.matches("Server listening on").count());
        let before = listens();
        processes::signal(server, Signal::HUP)?;
        wait::until("sshd listens again", || listens() > before).await
    }

    /// Returns how often a client has logged in.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn logins(&self) -> anyhow::Result<usize> {
        let log = self.log()?;
        Ok(log.lines().filter(|line| line.contains("Accepted publickey")).count())
    }
}

impl Keys {
    fn read(part: &Value) -> anyhow::Result<Self> {
        let key = |name| anyhow::Ok(fs::read_to_string(text(&part["keys"], name)?)?);
        Ok(Self {
            plain: key("plain")?,
            encrypted: key("encrypted")?,
            passphrase: text(part, "passphrase")?,
            certified: key("certified")?,
            certificate: fs::read_to_string(text(part, "certificate")?)?,
            stranger: key("stranger")?,
        })
    }
}
