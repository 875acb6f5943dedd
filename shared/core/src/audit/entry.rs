//! Entries of the audit log, and how one follows another.
//!
//! An entry is one line of JSON. Its `sha256` is the hash of that line without `sha256` itself, and covers with `previous` the entry
//! before it, so that nobody changes, removes or inserts an entry without changing all that follow.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::deed::Deed;
use crate::access::Requester;
use crate::base::hex::hex;
use crate::base::id::Tenant;
use crate::base::time::Timestamp;

/// The field that has an entry's own hash.
pub(super) const HASH: &str = "sha256";

/// An entry of the audit log. Its fields are written in this order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct Entry {
    /// The chain that the entry belongs to: one of a data folder, and on AWS one of each process that writes.
    pub chain: String,
    /// The place of the entry in its chain, from 1.
    #[schema(minimum = 1)]
    pub number: u64,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The tenant whose entry it is: the caller's; `default`, the operator's, where it is not known who asked.
    pub tenant: String,
    /// Who asked, as records have it, such as `key:ci`; null where that is not known.
    pub by: Option<String>,
    /// What stands for the caller for as long as it is the same one, such as `key:ID`; null where it is not known who asked.
    pub subject: Option<String>,
    /// What was done or tried, such as `job.cancel`.
    pub action: String,
    /// What it was done to: the id of a job or an API key, the name of a credential, or `SERVICE/OPERATION`; null if there is none.
    pub object: Option<String>,
    /// Whether it was done.
    pub outcome: AuditOutcome,
    /// Why it was refused, or how it failed: the kind of problem, such as `forbidden`; null if it was done.
    pub problem: Option<String>,
    /// The status of the answer that told the problem; null if it was done, or nobody waited for an answer.
    pub status: Option<u16>,
    /// The address that the request came from; null if it did not come over HTTP.
    pub source_ip: Option<String>,
    /// The id of the request; null if it did not come over HTTP.
    pub request_id: Option<String>,
    /// How many entries of the tenant before this one were left out, because one caller or address was refused, or failed, too often.
    pub left_out: u64,
    /// The SHA-256 of the entry before; null if the chain begins here.
    pub previous: Option<String>,
    /// The SHA-256 of this entry.
    pub sha256: String,
}

/// Whether something was done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AuditOutcome)]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused, and changed nothing.
    Refused,
    /// The service failed to do it, or to answer; whether it has changed something is not known.
    Failed,
}

/// A text that is no outcome.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be done, refused or failed")]
pub struct NotAnOutcome;

/// Why something was refused, or how it failed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AuditProblem {
    /// The kind of problem.
    pub kind: String,
    /// The status of the answer, if somebody waits for one.
    pub status: Option<u16>,
}

/// An entry that is to be written.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct NewEntry {
    /// The tenant whose entry it is.
    pub tenant: Tenant,
    /// The caller's name, if it is known.
    pub by: Option<String>,
    /// What stands for the caller.
    pub subject: Option<String>,
    /// What was done or tried.
    pub action: Deed,
    /// What it was done to.
    pub object: Option<String>,
    /// Why it was refused, or how it failed, if it was not done.
    pub problem: Option<AuditProblem>,
    /// The address that the request came from.
    pub source_ip: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// How many entries of the tenant before this one were left out.
    pub left_out: u64,
}

/// The end of a chain, which the next entry follows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tip {
    /// The chain.
    pub chain: String,
    /// The number of the last entry; 0 if there is none yet.
    pub number: u64,
    /// The hash of the last entry.
    pub sha256: Option<String>,
}

impl NewEntry {
    /// Makes the entry of something that a caller has done.
    #[must_use]
    pub fn of(by: &Requester, action: Deed, object: Option<String>) -> Self {
        Self {
            tenant: by.tenant().clone(),
            by: Some(by.caller.name.clone()),
            subject: Some(by.caller.subject.clone()),
            source_ip: by.source_ip.clone(),
            request_id: by.request_id.clone(),
            object,
            ..Self::of_nobody(action)
        }
    }

    /// Makes the entry of something that was tried by nobody knows whom. It is the operator's.
    #[must_use]
    pub fn of_nobody(action: Deed) -> Self {
        Self {
            tenant: Tenant::default(),
            by: None,
            subject: None,
            action,
            object: None,
            problem: None,
            source_ip: None,
            request_id: None,
            left_out: 0,
        }
    }
}

impl AuditProblem {
    /// Returns what the problem means for what was asked.
    #[must_use]
    pub fn outcome(&self) -> AuditOutcome {
        match self.status {
            Some(500..) => AuditOutcome::Failed,
            _ => AuditOutcome::Refused,
        }
    }
}

impl Tip {
    /// Begins a chain, with a name that no other has.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            chain: Uuid::new_v4().simple().to_string(),
            number: 0,
            sha256: None,
        }
    }

    /// Makes the entry that follows.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn next(&self, new: NewEntry, at: Timestamp) -> Result<Entry, serde_json::Error> {
        let outcome = new.problem.as_ref().map_or(AuditOutcome::Done, AuditProblem::outcome);
        let (problem, status) = new
            .problem
            .map_or((None, None), |problem| (Some(problem.kind), problem.status));
        let mut entry = Entry {
            chain: self.chain.clone(),
            number: self.number + 1,
            at,
            tenant: new.tenant.as_str().to_owned(),
            by: new.by,
            subject: new.subject,
            action: new.action.as_str().to_owned(),
            object: new.object,
            outcome,
            problem,
            status,
            source_ip: new.source_ip,
            request_id: new.request_id,
            left_out: new.left_out,
            previous: self.sha256.clone(),
            sha256: String::new(),
        };
        if let Value::Object(mut fields) = serde_json::to_value(&entry)? {
            fields.shift_remove(HASH);
            entry.sha256 = digest(fields);
        }
        Ok(entry)
    }
}

impl From<&Entry> for Tip {
    fn from(last: &Entry) -> Self {
        Self {
            chain: last.chain.clone(),
            number: last.number,
            sha256: Some(last.sha256.clone()),
        }
    }
}

impl AuditOutcome {
    /// Returns the outcome's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for AuditOutcome {
    type Err = NotAnOutcome;

    fn from_str(text: &str) -> Result<Self, NotAnOutcome> {
        match text {
            "done" => Ok(Self::Done),
            "refused" => Ok(Self::Refused),
            "failed" => Ok(Self::Failed),
            _ => Err(NotAnOutcome),
        }
    }
}

/// Returns the hash of an entry's other fields: of their JSON, in their order, without spaces, in UTF-8.
pub(super) fn digest(fields: Map<String, Value>) -> String {
    hex(&Sha256::digest(Value::Object(fields).to_string()))
}
