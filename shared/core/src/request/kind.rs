//! Kinds of jobs: what a request of a kind may say, and what its jobs tell.

use serde_json::Value;
use utoipa::openapi::Components;

use super::job_request::JobRequest;
use super::reason::Reason;
use crate::base::fields::{Faults, FieldError, Fields};
use crate::base::object::Object;
use crate::credential::CredentialUse;

/// One kind of job: the grammar of its requests, and what else only it knows. It does nothing; a runner of its name does.
pub trait Kind: Send + Sync {
    /// Returns the name, as stored requests have it.
    fn name(&self) -> &'static str;

    /// Returns the fields of a request by which it is told to be of this kind.
    fn markers(&self) -> &'static [&'static str];

    /// Reads what a request says beside the options of every job: its fields, and those of its `options` that are of the kind.
    /// Every fault is added with its pointer; so is, where there is no other, what the operator does not allow.
    fn read(&self, fields: &mut Fields<'_>, options: &mut Fields<'_>, faults: &mut Faults) -> Option<Work>;

    /// Returns what is kept of a request that is refused: what it was to run, no more.
    fn outline(&self, title: Option<&str>) -> Object;

    /// Returns what lists call the work of a request that cannot be read.
    fn title_of(&self, body: &Value) -> Option<String>;

    /// Returns what a record shows of a job beside what every job has.
    fn show(&self, told: Told<'_>) -> Shown;

    /// Returns the reasons that only jobs of this kind have.
    fn reasons(&self) -> &'static [Reason];

    /// Returns the names that its events have.
    fn event_names(&self) -> &'static [&'static str];

    /// Reads an event as it is stored.
    ///
    /// # Errors
    /// It is none.
    fn event(&self, line: &[u8]) -> Result<EventFacts, serde_json::Error>;

    /// Returns the schemas of what it adds to the API: `JobRequest`, `Options`, `RecordPart`, `ResultPart`, `Progress` and `Event`,
    /// and what they lead to.
    fn schemas(&self) -> Components;
}

/// What a request wants to be done, as its kind has read it.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// What lists call it.
    pub title: Option<String>,
    /// The request's own fields, without the options of every job.
    pub body: Object,
    /// The stored credentials that it names.
    pub secrets: Vec<CredentialUse>,
    /// What it names and is not there, where that can be known before it runs.
    pub missing: Option<FieldError>,
}

/// What is known of a job, for its kind to show.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// What is to be done.
    pub request: &'a JobRequest,
    /// How far it has come, while it runs.
    pub progress: Option<&'a Object>,
    /// What came of it, once it has ended.
    pub detail: Option<&'a Object>,
}

/// What a kind adds to a job's record.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Fields of the record; `options` among them gets those of every job, too.
    pub record: Object,
    /// Fields of the record's `result`.
    pub result: Object,
}

/// What events are told apart by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventFacts {
    /// The event's name.
    pub name: String,
    /// The host that it is about.
    pub host: Option<String>,
    /// Whether it tells of a failure that nothing made good.
    pub failed: bool,
}
