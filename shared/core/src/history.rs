//! Listing jobs, newest first: what a page is, and the cursor that leads to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::id::{JobId, Tenant};
use crate::job::{JobState, JobStatus};
use crate::outcome::Reason;
use crate::time::Timestamp;

/// How far `total` counts.
pub const MAX_COUNTED: u32 = 1000;
/// The largest `limit`.
pub const MAX_LIMIT: u32 = 100;
/// The `limit` of a query that names none.
pub const DEFAULT_LIMIT: u32 = 20;
/// The largest `offset`; deeper pages are reached by cursor.
pub const MAX_OFFSET: u32 = 1000;

/// Which jobs to list.
#[derive(Clone, Debug)]
pub struct HistoryQuery {
    /// Whose jobs.
    pub tenant: Tenant,
    /// Only those in this state.
    pub status: Option<JobStatus>,
    /// At most this many, from 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// Leaves out this many, up to [`MAX_OFFSET`].
    pub offset: u32,
    /// Only jobs older than this one.
    pub before: Option<JobId>,
}

/// What a list shows of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSummary {
    /// Its id.
    pub id: JobId,
    /// Its playbook.
    pub playbook: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Where it stands.
    pub status: JobStatus,
    /// Why it did not succeed.
    pub reason: Option<Reason>,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl JobSummary {
    /// Takes from a job's state what a list shows.
    #[must_use]
    pub fn new(id: JobId, playbook: String, created_at: Timestamp, state: &JobState) -> Self {
        Self {
            id,
            playbook,
            created_at,
            status: state.status,
            reason: state.outcome.as_ref().and_then(|outcome| outcome.reason),
            started_at: state.started_at,
            finished_at: state.finished_at,
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryPage {
    /// The jobs, newest first.
    pub jobs: Vec<JobSummary>,
    /// How many there are in all, counted up to [`MAX_COUNTED`].
    pub total: u32,
    /// Whether `total` is exact.
    pub total_is_exact: bool,
    /// Whether older jobs follow.
    pub has_more: bool,
}

/// A place in one tenant's list, filtered by one status or none.
///
/// Written as base64url of the job's id and a digest that binds it to the list, so that a cursor that was
/// altered, or taken to another list, is noticed. It grants nothing: it is no secret and needs no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cursor(pub JobId);

const DIGEST_BYTES: usize = 8;

impl Cursor {
    /// Writes the cursor for a list.
    #[must_use]
    pub fn encode(self, tenant: &Tenant, status: Option<JobStatus>) -> String {
        let id = self.0.as_bytes();
        let mut bytes = id.to_vec();
        bytes.extend_from_slice(&digest(id, tenant, status));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor; `None` if it is not one of this list.
    #[must_use]
    pub fn decode(text: &str, tenant: &Tenant, status: Option<JobStatus>) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, check) = bytes.split_first_chunk::<16>()?;
        (check == digest(id, tenant, status)).then(|| Self(JobId::from_bytes(*id)))
    }
}

fn digest(id: &[u8; 16], tenant: &Tenant, status: Option<JobStatus>) -> [u8; DIGEST_BYTES] {
    let mut hash = Sha256::new();
    hash.update(b"callboard cursor 1\0");
    hash.update(id);
    hash.update(tenant.as_str());
    hash.update(b"\0");
    hash.update(status.map_or("", JobStatus::as_str));
    let mut short = [0; DIGEST_BYTES];
    short.copy_from_slice(&hash.finalize()[..DIGEST_BYTES]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_to_its_own_list_only_and_shows_when_it_was_altered() {
        let (tenant, other) = (Tenant::default(), Tenant::from("other".to_owned()));
        let cursor = Cursor(JobId::new());
        let text = cursor.encode(&tenant, None);
        assert_eq!(Cursor::decode(&text, &tenant, None), Some(cursor));
        assert_eq!(Cursor::decode(&text, &other, None), None);
        assert_eq!(Cursor::decode(&text, &tenant, Some(JobStatus::Failed)), None);
        for at in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8_lossy(&altered).into_owned();
            assert_eq!(Cursor::decode(&altered, &tenant, None), None, "{altered}");
        }
    }
}
