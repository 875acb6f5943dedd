//! The SSH server: OpenSSH's `sshd`, for the user who runs the tests.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use rustix::process::Signal;
use serde_json::Value;

use super::text;
use crate::{processes, wait};

/// The server: a host for Ansible, and a Git server that has the repositories of [`super::GitServer`]. It takes keys,
/// no passwords.
#[derive(Clone, Debug)]
pub struct SshServer {
    /// The address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The only user.
    pub user: String,
    /// Keys of clients.
    pub keys: Keys,
    /// The line of a `known_hosts` file that has the server's key.
    pub known_hosts: String,
    /// Such a line with another key, which the server has after [`SshServer::change_key`].
    pub wrong_known_hosts: String,
    /// The home that the user has there.
    pub home: PathBuf,
    folder: PathBuf,
    log: PathBuf,
}

/// Keys of clients: what is in their files.
#[derive(Clone, Debug)]
pub struct Keys {
    /// A private key that the server accepts.
    pub plain: String,
    /// An encrypted private key that the server accepts.
    pub encrypted: String,
    /// What decrypts it.
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

    /// Returns what the server has logged.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// Gives the server another host key, that of `wrong_known_hosts`.
    ///
    /// # Errors
    /// It does not come up again.
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

    /// Returns how often somebody has logged in.
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
