//! The connection to the container engine.

use std::env;

use bollard::Docker;
use bollard::errors::Error;
use callboard_core::base::causes::causes;
use tokio::sync::OnceCell;

/// The engine, which is asked for the first time when it is needed.
pub(crate) struct Engine {
    address: Option<String>,
    connected: OnceCell<Connected>,
}

/// An engine that has answered.
#[derive(Clone)]
pub(crate) struct Connected {
    pub(crate) docker: Docker,
    /// What it isolates every container by.
    pub(crate) security: Vec<&'static str>,
}

impl Engine {
    pub(crate) fn new(address: Option<String>) -> Self {
        Self {
            address,
            connected: OnceCell::new(),
        }
    }

    /// Returns the engine.
    ///
    /// # Errors
    /// A sentence that says where it was looked for, and what to do.
    pub(crate) async fn connected(&self) -> Result<Connected, String> {
        let connected = self.connected.get_or_try_init(|| self.connect()).await;
        connected.cloned().map_err(|error| self.told(&error))
    }

    async fn connect(&self) -> Result<Connected, Error> {
        let docker = match self.given() {
            Some(address) => Docker::connect_with_host(&address),
            None => Docker::connect_with_unix_defaults().or_else(|_| Docker::connect_with_podman_defaults()),
        };
        let docker = docker?.negotiate_version().await?;
        let options = docker.info().await?.security_options.unwrap_or_default();
        Ok(Connected {
            security: security(&options),
            docker,
        })
    }

    /// Returns the address that the operator or his environment gives.
    fn given(&self) -> Option<String> {
        self.address
            .clone()
            .or_else(|| env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()))
    }

    fn told(&self, error: &Error) -> String {
        let place = self
            .given()
            .unwrap_or_else(|| "the usual sockets of Docker and Podman".to_owned());
        format!(
            "The container engine cannot be reached at {place}: {}. Start it, let the service's user write to its socket, or set DOCKER_HOST to \
             the right one, as in unix:///var/run/docker.sock; other addresses than sockets are not used.",
            causes(error).to_string().trim_end_matches('.')
        )
    }
}

/// Reads what an engine says of its security, as in `name=seccomp,profile=default`.
fn security(options: &[String]) -> Vec<&'static str> {
    let known = [
        ("seccomp", "seccomp"),
        ("selinux", "selinux"),
        ("userns", "user_namespace"),
        ("rootless", "rootless"),
    ];
    let has = |name: &str| {
        options.iter().any(|option| {
            let mut parts = option.split(',');
            parts.next().map(|part| part.trim_start_matches("name=")) == Some(name)
                && !parts.any(|part| part == "profile=unconfined")
        })
    };
    known
        .into_iter()
        .filter(|(name, _)| has(name))
        .map(|(_, word)| word)
        .collect()
}

/// Returns the status with which an engine has refused a request.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}
