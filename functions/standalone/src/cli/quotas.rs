//! The arguments of `quotas`.

use std::path::PathBuf;

use callboard_core::base::id::Tenant;
use clap::Args;

use super::DataFolder;

/// The arguments of `quotas`.
#[derive(Debug, Args)]
pub(crate) struct QuotasArguments {
    /// The tenant
    #[arg(long, value_name = "TENANT", default_value = "default")]
    pub(crate) tenant: Tenant,
    /// The policy of the service, which has the quotas; the variable CALLBOARD_POLICY can hold it instead
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// The API's JSON, even on a terminal
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}
