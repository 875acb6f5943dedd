//! What the runner is told when it is made.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::environment::Environment;
use crate::playbooks::PlaybookFolder;
use crate::viewer::Viewer;

/// Which home a job has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Home {
    /// A folder of its own that is wiped when it ends, and few of the service's variables.
    Private,
    /// The home and the variables of whoever called `callboard run`: it is his playbook and his machine.
    Callers,
}

/// How playbooks are run.
#[derive(Clone)]
pub struct AnsibleSettings {
    /// The Python that has Ansible, and the host's own code.
    pub environment: Environment,
    /// Where playbooks are.
    pub playbooks: PlaybookFolder,
    /// Playbooks that are run in place of a request's, as whoever called `callboard run` has typed them.
    pub typed_playbooks: Vec<String>,
    /// Where the folders of running jobs are made, such as `/tmp`.
    pub work: PathBuf,
    /// Which home jobs have.
    pub home: Home,
    /// The folder that playbooks run in; by default the playbook's own.
    pub working_folder: Option<PathBuf>,
    /// Whether Ansible prints in colour where its configuration does not forbid it.
    pub color: bool,
    /// Whether an inventory that Ansible's configuration names goes before that of the request.
    pub configured_inventory_first: bool,
    /// More arguments for `ansible-playbook`, as they are.
    pub extra_arguments: Vec<String>,
    /// How long a job may take to end after SIGTERM before SIGKILL.
    pub grace: Duration,
    /// Who watches jobs print; standard error is kept apart for him.
    pub viewer: Option<Arc<dyn Viewer>>,
}
