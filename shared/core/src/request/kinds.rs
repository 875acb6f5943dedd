//! The list of the kinds of jobs that a program knows.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::job_options::JobOptions;
use super::job_request::JobRequest;
use super::kind::{Kind, Told};
use super::lane::Lane;
use crate::access::Uses;
use crate::base::fields::{self, Faults, FieldError, Fields};
use crate::credential::CredentialUse;

/// The kinds that a program knows. Requests that name no kind belong to the first.
#[derive(Clone)]
pub struct Kinds(Arc<[Arc<dyn Kind>]>);

/// A request that was read, and what must exist for it.
#[derive(Clone, Debug)]
pub struct Read {
    /// The request.
    pub request: JobRequest,
    /// What it uses.
    pub uses: Uses,
    /// The stored credentials that it names.
    pub secrets: Vec<CredentialUse>,
    /// Something it names that does not exist.
    pub missing: Option<FieldError>,
}

impl Kinds {
    /// Makes a list of a first kind and others.
    #[must_use]
    pub fn new(first: Arc<dyn Kind>, others: Vec<Arc<dyn Kind>>) -> Self {
        Self(std::iter::once(first).chain(others).collect())
    }

    /// Returns the kind of requests that name no kind.
    #[must_use]
    pub fn first(&self) -> &dyn Kind {
        &*self.0[0]
    }

    /// Returns every kind.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Kind> {
        self.0.iter().map(|kind| &**kind)
    }

    /// Returns the names of the events of every kind.
    pub fn event_names(&self) -> impl Iterator<Item = &'static str> {
        self.iter().flat_map(Kind::event_names).copied()
    }

    /// Returns the names of what requests of any kind use, as scopes have them.
    #[must_use]
    pub fn subjects(&self) -> Vec<&'static str> {
        self.iter().flat_map(Kind::subjects).copied().collect()
    }

    /// Returns the kind of a request; `None` if only another release knows it.
    #[must_use]
    pub fn of(&self, request: &JobRequest) -> Option<&dyn Kind> {
        match request.kind.as_deref() {
            None => Some(self.first()),
            Some(name) => self.iter().find(|kind| kind.names().contains(&name)),
        }
    }

    /// Returns the name of the kind of a request, by the name that is stored.
    #[must_use]
    pub fn name_of<'a>(&'a self, stored: Option<&'a str>) -> &'a str {
        stored.unwrap_or(self.first().name())
    }

    /// Says in a sentence why a request cannot be read at the moment; `None` if it can.
    #[must_use]
    pub fn lacking(&self, body: &Value) -> Option<&'static str> {
        self.marked(body).find_map(Kind::lacking)
    }

    /// Reads a request from JSON.
    ///
    /// # Errors
    /// Every fault of the request, each with a pointer to its field.
    pub fn read(&self, body: &Value) -> Result<Read, Vec<FieldError>> {
        let mut faults = Faults::default();
        match self.try_read(body, &mut faults) {
            Some(read) => faults.or(read),
            None => Err(faults.into_inner()),
        }
    }

    /// Makes a request that repeats the one of a job, as its sender would write it, with changes; also returns why something is not as it was
    /// asked for.
    ///
    /// # Errors
    /// Every change that cannot be made, each with a pointer to its field.
    pub fn again(&self, told: Told<'_>, changes: &Value) -> Result<(Value, Option<String>), Vec<FieldError>> {
        let mut faults = Faults::default();
        let Some(mut fields) = Fields::of(changes, "", &mut faults) else {
            return Err(faults.into_inner());
        };
        if told.request.work.is_empty() {
            faults.add("", "cannot be made: the job's request is no longer kept");
            return Err(faults.into_inner());
        }
        let Some(kind) = self.of(told.request) else {
            faults.add("", "cannot be made: this release does not know jobs of that kind");
            return Err(faults.into_inner());
        };
        let again = kind.again(told, &mut fields, &mut faults);
        fields.finish(&mut faults);
        let options = told.request.options.clone();
        let max_attempts = options.max_attempts.filter(|_| !again.sets_max_attempts);
        let note = again.note;
        let request = JobRequest {
            options: JobOptions {
                max_attempts,
                ..options
            },
            work: again.body,
            ..JobRequest::default()
        };
        let request = serde_json::to_value(request).unwrap_or_default();
        faults.or((request, note))
    }

    /// Makes the request to keep for one that cannot be read.
    #[must_use]
    pub fn outline(&self, body: &Value) -> JobRequest {
        let kind = self.marked(body).next().unwrap_or(self.first());
        let title = kind.title_of(body);
        JobRequest {
            kind: self.stored_name(kind.name()),
            lane: Lane::default(),
            work: kind.outline(title.as_deref()),
            title,
            origin: None,
            options: JobOptions::default(),
        }
    }

    fn try_read(&self, body: &Value, faults: &mut Faults) -> Option<Read> {
        let mut marked = self.marked(body);
        let kind = marked.next().unwrap_or(self.first());
        if let Some(other) = marked.next() {
            let (one, other) = (found(kind, body), found(other, body));
            faults.add(format!("/{other}"), format!("is of another kind of job than {one}"));
            return None;
        }
        let mut outer = Fields::of(body, "", faults)?;
        let none = Value::Object(Map::new());
        let given = outer.get("options");
        let object = given.filter(|value| value.is_object()).unwrap_or(&none);
        let mut own = Fields::of(object, "/options", faults)?;
        let work = kind.read(&mut outer, &mut own, faults);
        let mut options = JobOptions::read(&mut own, faults);
        if let Some(other) = given.filter(|value| !value.is_object()) {
            faults.add("/options", format!("must be an object, not {}", fields::kind(other)));
        }
        own.finish(faults);
        outer.finish(faults);
        let work = work?;
        options.max_attempts = options.max_attempts.or(work.max_attempts);
        Some(Read {
            request: JobRequest {
                kind: self.stored_name(work.kind.unwrap_or(kind.name())),
                lane: work.lane,
                title: work.title,
                origin: None,
                options,
                work: work.body,
            },
            uses: work.uses,
            secrets: work.secrets,
            missing: work.missing,
        })
    }

    /// Returns the kinds that have a marker in a request.
    fn marked<'a>(&'a self, body: &'a Value) -> impl Iterator<Item = &'a dyn Kind> {
        self.iter()
            .filter(|kind| kind.markers().iter().any(|marker| !body[*marker].is_null()))
    }

    /// Returns the name to store: none for the first kind, as in releases that knew no other kind.
    fn stored_name(&self, name: &str) -> Option<String> {
        (name != self.first().name()).then(|| name.to_owned())
    }
}

/// Returns the marker of a kind that is present in a request.
fn found(kind: &dyn Kind, body: &Value) -> &'static str {
    let mut markers = kind.markers().iter().copied();
    markers.find(|marker| !body[*marker].is_null()).unwrap_or_default()
}
