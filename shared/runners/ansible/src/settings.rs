//! The runner's settings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::environment::Environment;
use crate::isolation::Isolation;
use crate::playbooks::PlaybookFolder;
use crate::viewer::Viewer;

/// The home that a job has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Home {
    /// A folder of its own, which is wiped when the job ends, and few of the service's variables.
    Private,
    /// The home and the variables of the caller of `callboard run`: it is the caller's playbook and machine.
    Callers,
}

/// How playbooks are run.
#[derive(Clone)]
pub struct AnsibleSettings {
    /// The Python that has Ansible, and the host's own code.
    pub environment: Environment,
    /// The folder that holds the playbooks.
    pub playbooks: PlaybookFolder,
    /// Playbooks that are run in place of a request's, as the caller of `callboard run` typed them.
    pub typed_playbooks: Vec<String>,
    /// The folder in which the folders of running jobs are made, such as `/tmp`.
    pub work: PathBuf,
    /// The home that jobs have.
    pub home: Home,
    /// The folder that playbooks run in; by default the playbook's own.
    pub working_folder: Option<PathBuf>,
    /// Whether Ansible prints in colour, unless its configuration forbids it.
    pub color: bool,
    /// Whether an inventory that Ansible's configuration names takes precedence over the request's.
    pub configured_inventory_first: bool,
    /// More arguments for `ansible-playbook`, passed unchanged.
    pub extra_arguments: Vec<String>,
    /// How long a job may take to end after SIGTERM before SIGKILL.
    pub grace: Duration,
    /// What keeps jobs from the service and from each other.
    pub isolation: Isolation,
    /// Shows what jobs print as they print it; if there is a viewer, standard error is kept apart.
    pub viewer: Option<Arc<dyn Viewer>>,
}
