//! Runs Ansible playbooks: the pinned environment, the Ansible host, and the runner that uses both.

mod collect;
mod command;
mod control;
mod demux;
mod environ;
pub mod environment;
mod host;
mod host_files;
mod inventory;
mod packets;
mod playbooks;
mod processes;
mod pump;
pub mod python;
mod runner;
mod settings;
mod supervisors;
mod track;
mod verdict;
mod workspace;

pub use host::{HostError, Versions};
pub use playbooks::PlaybookFolder;
pub use runner::AnsibleRunner;
pub use settings::{AnsibleSettings, Home};
