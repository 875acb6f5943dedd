//! The arguments of `known-hosts`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The arguments of `known-hosts`.
#[derive(Debug, Args)]
pub(crate) struct KnownHostsArguments {
    #[command(subcommand)]
    pub(crate) verb: KnownHostsVerb,
    /// Where jobs and their output are kept [default: ~/.local/share/callboard]
    #[arg(long, global = true, value_name = "DIR", env = "CALLBOARD_DATA")]
    pub(crate) data: Option<PathBuf>,
}

/// What to do with accepted host keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KnownHostsVerb {
    /// Prints each host, the type of its key and the key's fingerprint
    List,
    /// Forgets a host's key, so that the next job accepts the one that the host has then
    Forget {
        /// The host as `list` has it; one with a port that is not 22 is `[HOST]:PORT`
        #[arg(value_name = "HOST")]
        host: String,
    },
}
