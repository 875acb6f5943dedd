//! The arguments of `keys`.

use std::path::PathBuf;

use callboard_core::access::{KeyId, Scope};
use callboard_core::base::id::Tenant;
use clap::{Args, Subcommand};

/// The arguments of `keys`.
#[derive(Debug, Args)]
pub(crate) struct KeysArguments {
    #[command(subcommand)]
    pub(crate) verb: KeysVerb,
    /// The folder for jobs and their output [default: ~/.local/share/callboard]
    #[arg(long, global = true, value_name = "DIR", env = "CALLBOARD_DATA")]
    pub(crate) data: Option<PathBuf>,
}

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysVerb {
    /// Makes a key and prints it, once
    Create {
        /// What the key is called in records and in the log, such as `ci`
        #[arg(long)]
        name: String,
        /// What its holder may do, such as `jobs:run`, `jobs:run[playbook=deploy.yml,credential=staging-*]` or `admin`; may be repeated
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<Scope>,
        /// The tenant whose things the key opens
        #[arg(long, default_value = "default")]
        tenant: Tenant,
        /// How long the key is accepted: days or hours, or `never`
        #[arg(long, value_name = "SPAN", default_value = "90d")]
        expires: String,
    },
    /// Lists keys: a table on a terminal, otherwise one JSON object per line; their secrets are never shown
    List {
        /// The tenant
        #[arg(long, default_value = "default")]
        tenant: Tenant,
        /// Lists the sessions of web pages instead, which stand for keys and tokens
        #[arg(long)]
        sessions: bool,
    },
    /// Shows a key, without its secret
    Show {
        /// The key's id, as `list` shows it
        id: KeyId,
    },
    /// Replaces a key's secret, and prints the new key, once
    Rotate {
        /// The key's id, as `list` shows it
        id: KeyId,
        /// How long the former secret is still accepted
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        overlap: String,
    },
    /// Revokes a key: it is refused everywhere within five seconds
    Revoke {
        /// The key's id, as `list` shows it
        id: KeyId,
    },
}
