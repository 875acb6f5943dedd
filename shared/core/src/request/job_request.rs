//! Requests: what to do, with which kind of job, and the options that every job has.

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::job_options::JobOptions;
use super::lane::Lane;
use crate::access::Origin;
use crate::base::object::Object;

/// A request as it is recorded.
///
/// As JSON it is one object: the fields of its kind, `kind` unless it is the first kind, `origin`, and `options`, which holds the
/// options of every job together with those of its kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobRequest {
    /// The name of its kind; absent for the first kind.
    pub kind: Option<String>,
    /// Which workers take the job. It is not part of the JSON; stores keep it separately.
    pub lane: Lane,
    /// The title that lists show. It is not part of the JSON; stores keep it separately.
    pub title: Option<String>,
    /// Who sent it, and from where; absent for what earlier releases recorded.
    pub origin: Option<Origin>,
    /// The options that jobs of every kind have.
    pub options: JobOptions,
    /// The fields that its kind understands; `options` among them holds only the kind's own options.
    pub work: Object,
}

impl Serialize for JobRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(kind) = &self.kind {
            map.serialize_entry("kind", kind)?;
        }
        if let Some(origin) = &self.origin {
            map.serialize_entry("origin", origin)?;
        }
        for (name, value) in self.work.0.iter().filter(|(name, _)| *name != "options") {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("options", &self.all_options())?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for JobRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut work = Map::deserialize(deserializer)?;
        let kind = match work.remove("kind") {
            Some(Value::String(kind)) => Some(kind),
            _ => None,
        };
        let origin = work.remove("origin").map(serde_json::from_value).transpose();
        let origin = origin.map_err(serde::de::Error::custom)?;
        let mut options = match work.remove("options") {
            Some(Value::Object(options)) => options,
            _ => Map::new(),
        };
        let own: Map<String, Value> = JobOptions::NAMES
            .iter()
            .filter_map(|name| options.remove_entry(*name))
            .collect();
        if !options.is_empty() {
            work.insert("options".to_owned(), Value::Object(options));
        }
        Ok(Self {
            kind,
            lane: Lane::default(),
            title: None,
            origin,
            options: JobOptions::deserialize(Value::Object(own)).map_err(serde::de::Error::custom)?,
            work: Object(work),
        })
    }
}

impl JobRequest {
    /// Returns the options of every job together with those of its kind, as a request has them.
    #[must_use]
    pub fn all_options(&self) -> Object {
        let mut options = Object::of(&self.options);
        if let Some(Value::Object(own)) = self.work.0.get("options") {
            options.0.extend(own.clone());
        }
        options
    }
}
