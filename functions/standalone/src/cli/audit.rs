//! The arguments of `audit`.

use callboard_core::audit::{ActionFilter, AuditFilter, AuditOutcome};
use callboard_core::base::id::Tenant;
use callboard_core::base::time::Timestamp;
use clap::Args;

use super::DataFolder;

/// The arguments of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// Only this action, such as `job.cancel`, or all of a sort, such as `key.*`
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: Option<ActionFilter>,
    /// Only what the caller with this name or subject has done, such as `key:ci`
    #[arg(long, value_name = "CALLER")]
    pub(crate) by: Option<String>,
    /// Only what was done, what was refused, or what failed: done, refused or failed
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Option<AuditOutcome>,
    /// Only what was done to this: the id of a job or an API key, the name of a credential, or SERVICE/OPERATION
    #[arg(long, value_name = "NAME")]
    pub(crate) object: Option<String>,
    /// Only entries of this instant or later, such as 2026-11-30T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Timestamp>,
    /// Only entries before this instant
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Timestamp>,
    /// The tenant whose entries to list
    #[arg(long, value_name = "TENANT", default_value = "default")]
    pub(crate) tenant: Tenant,
    /// The maximum number of entries
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// One JSON object per line, even on a terminal
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

impl AuditArguments {
    /// Returns which entries are asked for.
    pub(crate) fn filter(&self) -> AuditFilter {
        AuditFilter {
            action: self.action.clone(),
            by: self.by.clone(),
            outcome: self.outcome,
            object: self.object.clone(),
            since: self.since,
            until: self.until,
        }
    }
}
