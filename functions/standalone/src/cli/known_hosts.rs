//! The arguments of `known-hosts`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The arguments of `known-hosts`.
#[derive(Debug, Args)]
pub(crate) struct KnownHostsArguments {
    #[command(subcommand)]
    pub(crate) verb: KnownHostsVerb,
    /// The folder for jobs and their output [default: ~/.local/share/callboard]
    #[arg(long, global = true, value_name = "DIR", env = "CALLBOARD_DATA")]
    pub(crate) data: Option<PathBuf>,
}

/// What to do with accepted host keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KnownHostsVerb {
    /// Prints each host, the type of its key and the key's fingerprint
    List,
    /// Removes a host's key, so that the next job accepts whatever key the host has then
    Forget {
        /// The host as `list` shows it; with a port other than 22, `[HOST]:PORT`
        #[arg(value_name = "HOST")]
        host: String,
    },
}
