//! The containers of the jobs that this process runs, each of which is removed whatever happens to its job.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use callboard_core::base::causes::causes;
use tokio::runtime::Handle;

use crate::create::INSTANCE;
use crate::engine::status;

/// The names of the containers of running jobs.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<BTreeSet<String>>>);

impl Running {
    /// Notes a container that is about to be made.
    pub(crate) fn hold(&self, docker: &Docker, name: String) -> Held {
        self.names(|names| names.insert(name.clone()));
        Held {
            running: self.clone(),
            docker: docker.clone(),
            name,
            removed: false,
        }
    }

    /// Removes the containers of an instance that belong to no running job.
    ///
    /// # Errors
    /// The engine does not list its containers.
    pub(crate) async fn reap(&self, docker: &Docker, instance: &str) -> Result<(), Error> {
        let label = format!("{INSTANCE}={instance}");
        let filters = [("label".to_owned(), vec![label])].into();
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters);
        for container in docker.list_containers(Some(options.build())).await? {
            let names = container.names.unwrap_or_default();
            let is_held = |name: &String| self.names(|held| held.contains(name.trim_start_matches('/')));
            let (Some(id), false) = (container.id, names.iter().any(is_held)) else {
                continue;
            };
            if let Err(error) = remove(docker, &id).await {
                tracing::warn!(container.id = %id, error = %causes(&error), "a container cannot be removed");
            } else {
                tracing::warn!(container.id = %id, "a container that belongs to no running job was removed");
            }
        }
        Ok(())
    }

    fn names<T>(&self, read: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The container of a job. Dropped, it is removed in the background.
pub(crate) struct Held {
    running: Running,
    docker: Docker,
    pub(crate) name: String,
    removed: bool,
}

impl Held {
    /// Kills the container if it runs, and removes it. What fails here is tried again by [`Running::reap`].
    pub(crate) async fn remove(mut self) -> Result<(), Error> {
        let removed = remove(&self.docker, &self.name).await;
        self.removed = true;
        removed
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.running.names(|names| names.remove(&self.name));
        let Ok(handle) = Handle::try_current() else { return };
        if !self.removed {
            let (docker, name) = (self.docker.clone(), self.name.clone());
            handle.spawn(async move {
                if let Err(error) = remove(&docker, &name).await {
                    tracing::warn!(container.name = %name, error = %causes(&error), "a container cannot be removed now");
                }
            });
        }
    }
}

async fn remove(docker: &Docker, container: &str) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match docker.remove_container(container, Some(options)).await {
        Err(error) if is_gone(&error) => Ok(()),
        removed => removed,
    }
}

/// Returns whether a container is not there any more, or is just being removed.
fn is_gone(error: &Error) -> bool {
    match status(error) {
        Some(404) => true,
        Some(409) => error.to_string().contains("already in progress"),
        _ => false,
    }
}
