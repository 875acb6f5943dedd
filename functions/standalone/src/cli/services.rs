//! The arguments of `services`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The arguments of `services`.
#[derive(Debug, Args)]
pub(crate) struct ServicesArguments {
    #[command(subcommand)]
    pub(crate) verb: ServicesVerb,
}

/// What to do with a registry of services.
#[derive(Debug, Subcommand)]
pub(crate) enum ServicesVerb {
    /// Checks a registry, and names every fault with its file and line
    Check {
        /// The file, or the folder of files
        #[arg(value_name = "PATH")]
        path: PathBuf,
    },
    /// Writes a commented example
    Init {
        /// The file to write
        #[arg(value_name = "FILE", default_value = "services.yml")]
        path: PathBuf,
    },
}
