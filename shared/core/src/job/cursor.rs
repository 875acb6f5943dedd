//! Cursors: the place in a list where its next page begins.
//!
//! A cursor is written as base64url of the place and a digest that binds it to the list, so that a cursor that was altered or
//! used with another list is noticed. It grants nothing, so it is not secret and needs no key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::filter::Filter;
use crate::access::KeyKind;
use crate::audit::AuditFilter;
use crate::base::id::{JobId, Tenant};

const DIGEST_BYTES: usize = 8;

/// A list with pages.
#[derive(Clone, Copy, Debug)]
pub enum List<'a> {
    /// A tenant's jobs that pass a filter, newest first. A place is a job.
    Jobs(&'a Tenant, &'a Filter),
    /// A tenant's credentials, in order of name. A place is a name.
    Credentials(&'a Tenant),
    /// A tenant's API keys of a kind, in order of id. A place is an id.
    Keys(&'a Tenant, KeyKind),
    /// The entries of a tenant's audit log that pass a filter, newest first. A place is the store's.
    Audit(&'a Tenant, &'a AuditFilter),
    /// The hosts of a tenant's job that are in some states, in order of name. A place is a name; the text has the job and the states.
    Hosts(&'a Tenant, &'a str),
}

impl List<'_> {
    /// Returns the cursor for the page that follows a place.
    #[must_use]
    pub fn cursor(&self, place: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode([place, &self.digest(place)].concat())
    }

    /// Reads a cursor; `None` if it does not belong to this list.
    #[must_use]
    pub fn place(&self, cursor: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (place, check) = bytes.split_last_chunk::<DIGEST_BYTES>()?;
        (*check == self.digest(place)).then(|| place.to_vec())
    }

    /// Reads a cursor whose place is a job.
    #[must_use]
    pub fn job(&self, cursor: &str) -> Option<JobId> {
        let place = self.place(cursor)?.try_into().ok()?;
        Some(JobId::from_bytes(place))
    }

    fn digest(&self, place: &[u8]) -> [u8; DIGEST_BYTES] {
        let (kind, tenant, filter) = match self {
            Self::Jobs(tenant, filter) => ("jobs", tenant, filter.text()),
            Self::Credentials(tenant) => ("credentials", tenant, String::new()),
            Self::Keys(tenant, KeyKind::Key) => ("keys", tenant, String::new()),
            Self::Keys(tenant, KeyKind::Session) => ("sessions", tenant, String::new()),
            Self::Audit(tenant, filter) => ("audit", tenant, filter.text()),
            Self::Hosts(tenant, which) => ("hosts", tenant, (*which).to_owned()),
        };
        let mut hash = Sha256::new();
        for part in [kind, tenant.as_str(), &filter] {
            hash.update(part);
            hash.update(b"\0");
        }
        hash.update(place);
        let mut short = [0; DIGEST_BYTES];
        short.copy_from_slice(&hash.finalize()[..DIGEST_BYTES]);
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{JobStatus, KindFilter, TitleFilter};

    #[test]
    fn a_cursor_leads_to_its_own_list_only_and_shows_when_it_was_altered() {
        let (tenant, other) = (Tenant::default(), Tenant::from("other".to_owned()));
        let (all, id) = (Filter::default(), JobId::new());
        let list = List::Jobs(&tenant, &all);
        let text = list.cursor(id.as_bytes());
        assert_eq!(list.job(&text), Some(id));
        let filter = |filter: Filter| assert_eq!(List::Jobs(&tenant, &filter).place(&text), None, "{filter:?}");
        filter(Filter {
            status: Some(JobStatus::Failed),
            ..Filter::default()
        });
        filter(Filter {
            dead_letter: true,
            ..Filter::default()
        });
        filter(Filter {
            kind: Some(KindFilter::First),
            ..Filter::default()
        });
        filter(Filter {
            title: Some(TitleFilter::Below("billing".to_owned())),
            ..Filter::default()
        });
        for list in [List::Jobs(&other, &all), List::Credentials(&tenant)] {
            assert_eq!(list.place(&text), None, "{list:?}");
        }
        for at in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8_lossy(&altered).into_owned();
            assert_eq!(list.place(&altered), None, "{altered}");
        }
    }
}
