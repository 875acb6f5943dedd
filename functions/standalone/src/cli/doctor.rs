//! The flags of `doctor`.

use clap::Args;

use super::Common;

/// The flags of `doctor`: those that the service is started with.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// How many jobs the service runs at once
    #[arg(long, value_name = "N", env = "CALLBOARD_WORKERS", default_value_t = 2,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: u16,
    #[command(flatten)]
    pub(crate) common: Common,
}
