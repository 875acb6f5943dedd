//! The flags of `doctor`.

use clap::Args;

use super::{Common, Isolated, Load, Playbooks};

/// The flags of `doctor`: those that the service is started with.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// One JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) playbooks: Playbooks,
    #[command(flatten)]
    pub(crate) isolated: Isolated,
    #[command(flatten)]
    pub(crate) common: Common,
}
