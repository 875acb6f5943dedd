//! Kinds of jobs: what a request of a kind may say, and what its jobs report.

use serde_json::Value;
use utoipa::openapi::Components;

use super::job_request::JobRequest;
use super::lane::Lane;
use super::reason::Reason;
use super::results::Results;
use crate::access::Uses;
use crate::base::fields::{Faults, FieldError, Fields};
use crate::base::object::Object;
use crate::credential::CredentialUse;

/// One kind of job: the grammar of its requests, and everything else that only the kind knows. It does no work itself; the
/// runner with the same name does.
pub trait Kind: Send + Sync {
    /// Returns the name that stored requests use.
    fn name(&self) -> &'static str;

    /// Returns the names that stored requests use: its own, and those of ways of execution that have runners of their own.
    fn names(&self) -> Vec<&'static str> {
        vec![self.name()]
    }

    /// Returns the fields that show that a request is of this kind.
    fn markers(&self) -> &'static [&'static str];

    /// Says in a sentence why no request of this kind can be read at the moment; `None` if requests can be read.
    fn lacking(&self) -> Option<&'static str> {
        None
    }

    /// Reads everything in a request except the options of every job: its fields, and the kind's own `options`. Adds every fault
    /// with its pointer; if there is none, adds a fault for whatever the operator does not allow.
    fn read(&self, fields: &mut Fields<'_>, options: &mut Fields<'_>, faults: &mut Faults) -> Option<Work>;

    /// Returns the names of what its requests use, as scopes have them.
    fn subjects(&self) -> &'static [&'static str];

    /// Makes a request that repeats a recorded one, with the changes that its sender wants. Adds a fault for each that cannot be made.
    fn again(&self, told: Told<'_>, changes: &mut Fields<'_>, faults: &mut Faults) -> Again;

    /// Returns what is kept of a refused request: only what it was to run.
    fn outline(&self, title: Option<&str>) -> Object;

    /// Returns the title that lists show for a request that cannot be read.
    fn title_of(&self, body: &Value) -> Option<String>;

    /// Returns what a record shows of a job in addition to what every job has.
    fn show(&self, told: Told<'_>) -> Shown;

    /// Returns what a job has brought about.
    fn results(&self, told: Told<'_>) -> Results;

    /// Returns what reads the whole output of a job whose record does not have it, if the kind's events do.
    fn whole_output(&self) -> Option<OutputReader> {
        None
    }

    /// Returns the reasons that only jobs of this kind have.
    fn reasons(&self) -> &'static [Reason];

    /// Returns the names of its events.
    fn event_names(&self) -> &'static [&'static str];

    /// Reads a stored event.
    ///
    /// # Errors
    /// The line is not an event.
    fn event(&self, line: &[u8]) -> Result<EventFacts, serde_json::Error>;

    /// Returns the schemas that it adds to the API: `JobRequest`, `Options`, `RecordPart`, `ResultPart`, `Progress` and `Event`,
    /// and those that they refer to.
    fn schemas(&self) -> Components;
}

/// Reads the output of a job from the stored event that has it; `None` from any other.
pub type OutputReader = fn(&[u8]) -> Option<Value>;

/// The work that a request asks for, as its kind has read it.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// The title that lists show.
    pub title: Option<String>,
    /// The request's own fields, without the options of every job.
    pub body: Object,
    /// The name of the kind to store, if it is another of its names than its own.
    pub kind: Option<&'static str>,
    /// Which workers take the job.
    pub lane: Lane,
    /// How often the job may be started if the request does not say so.
    pub max_attempts: Option<u32>,
    /// What it uses, as far as callers can be bound to it.
    pub uses: Uses,
    /// The stored credentials that it names.
    pub secrets: Vec<CredentialUse>,
    /// Something it names that does not exist, if this can be known before the job runs.
    pub missing: Option<FieldError>,
}

/// A request that repeats a recorded one.
#[derive(Clone, Debug, Default)]
pub struct Again {
    /// The request's own fields, without the options of every job.
    pub body: Object,
    /// Whether the recorded `max_attempts` is one that the kind has set, and sets anew.
    pub sets_max_attempts: bool,
    /// Why something is not as it was asked for, in a sentence.
    pub note: Option<String>,
}

/// What is known about a job, for its kind to show.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The job's request.
    pub request: &'a JobRequest,
    /// How far the job has got, while it runs.
    pub progress: Option<&'a Object>,
    /// The job's result, once it has ended.
    pub detail: Option<&'a Object>,
    /// What its last attempt has left to the next.
    pub left: Option<&'a Object>,
}

/// What a kind adds to a job's record.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Fields of the record; `options` among them also gets the options of every job.
    pub record: Object,
    /// Fields of the record's `result`.
    pub result: Object,
}

/// The facts that distinguish events.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventFacts {
    /// The event's name.
    pub name: String,
    /// The host that the event is about.
    pub host: Option<String>,
    /// Whether the event reports a failure that nothing made good.
    pub failed: bool,
}
