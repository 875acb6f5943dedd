//! What is learned about a job while its output is moved.

use std::path::Path;

use callboard_core::request::Messages;
use callboard_kind_ansible::detail::InventorySummary;

use crate::failures::Failures;
use crate::notes::{DeadWorker, Note};
use crate::track::Tracker;

/// What was learned about a job while its output was moved.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) tracker: Tracker,
    pub(crate) failures: Failures,
    pub(crate) warnings: Messages,
    pub(crate) deprecations: Messages,
    pub(crate) inventory: Option<InventorySummary>,
    pub(crate) inventory_error: Option<String>,
    /// Whether the playbook was not started because there are no hosts.
    pub(crate) no_hosts: bool,
    pub(crate) source_error: Option<String>,
    /// The hosts on which the playbook has not come to its end, if a limit can name them.
    pub(crate) unfinished: Option<Vec<String>>,
    pub(crate) error: Option<String>,
    /// The error's message, if everything began with a folder of the job that had no room.
    pub(crate) disk_full: Option<String>,
    pub(crate) dead_worker: Option<DeadWorker>,
    /// What the job was doing when it was asked to stop.
    pub(crate) doing: Option<String>,
}

impl Findings {
    /// Records a note about a job whose source is in `root`.
    pub(crate) fn learn(&mut self, note: Note, root: &Path) {
        match note {
            Note::Inventory(summary) => self.inventory = Some(summary),
            Note::InventoryError { message } => self.inventory_error = Some(message),
            Note::NoHosts => self.no_hosts = true,
            Note::Hosts { names } => self.tracker.expect(names),
            Note::Unfinished { names } => self.unfinished = names,
            Note::SourceError { message } => self.source_error = Some(message),
            Note::AnsibleError { message, disk_full } => {
                if disk_full {
                    self.disk_full.get_or_insert(message.clone());
                }
                self.error = Some(message);
            }
            Note::Failure(told) => {
                let disk_full = told.disk_full && self.failures.all().is_empty();
                let failure = told.located(root);
                self.disk_full = self.disk_full.take().or(disk_full.then(|| failure.message.clone()));
                self.failures.note(failure);
            }
            Note::WorkerDied(worker) => self.dead_worker = self.dead_worker.take().or(Some(worker)),
            Note::Warning { message } => self.warnings.add(message),
            Note::Deprecation { message } => self.deprecations.add(message),
            Note::StatsDropped { names } => self.tracker.dropped = names,
            Note::ErrorsCleared { host } => self.failures.forgive(&host),
        }
    }
}
