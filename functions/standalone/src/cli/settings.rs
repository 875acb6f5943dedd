//! Settings: where things are, and how jobs are run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Where to ask for jobs.
#[derive(Debug, Args)]
pub(crate) struct DataFolder {
    /// Where jobs and their output are kept [default: ~/.local/share/callboard]
    #[arg(long = "data", value_name = "DIR", env = "CALLBOARD_DATA")]
    pub(crate) path: Option<PathBuf>,
}

/// What every verb that runs jobs takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Common {
    /// The Python to make the Ansible environment with [default: the newest suitable one]
    #[arg(long, value_name = "FILE", env = "CALLBOARD_PYTHON")]
    pub(crate) python: Option<PathBuf>,
    /// More Python packages for the Ansible environment: a requirements file of pip's, such as one that lists boto3
    #[arg(long, value_name = "FILE", env = "CALLBOARD_REQUIREMENTS")]
    pub(crate) requirements: Option<PathBuf>,
    /// Where the Ansible environment is kept [default: ~/.cache/callboard]
    #[arg(long, value_name = "DIR", env = "CALLBOARD_CACHE")]
    pub(crate) cache: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataFolder,
    /// Where the folders of running jobs are made; keep it short, ssh needs that
    #[arg(long, value_name = "DIR", env = "CALLBOARD_WORK", default_value = "/tmp")]
    pub(crate) work: PathBuf,
    /// How long a job that is stopped may take to end before it is killed, in seconds
    #[arg(long, value_name = "SECONDS", env = "CALLBOARD_GRACE", default_value_t = 5)]
    pub(crate) grace: u64,
    /// How long jobs and their output are kept after their end, in days
    #[arg(
        long,
        value_name = "DAYS",
        env = "CALLBOARD_RETENTION_DAYS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=36_500)
    )]
    pub(crate) retention_days: u32,
    /// How much of a job's output is kept, in bytes; what it prints beyond that is left out, and the job goes on
    #[arg(
        long,
        value_name = "BYTES",
        env = "CALLBOARD_MAX_OUTPUT",
        default_value_t = 1 << 30
    )]
    pub(crate) max_output: u64,
    /// How many of a job's events are kept
    #[arg(long, value_name = "N", env = "CALLBOARD_MAX_EVENTS", default_value_t = 1_000_000)]
    pub(crate) max_events: u64,
    /// What requests may reach, in YAML; the variable CALLBOARD_POLICY holds it otherwise [default: nothing]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// How long the fetching of a repository or of requirements may take, in seconds
    #[arg(long, value_name = "SECONDS", env = "CALLBOARD_FETCH_TIMEOUT", default_value_t = 300)]
    pub(crate) fetch_timeout: u64,
    /// How much may be fetched for one job, packed or unpacked, in bytes
    #[arg(
        long,
        value_name = "BYTES",
        env = "CALLBOARD_FETCH_MAX_BYTES",
        default_value_t = 1 << 30
    )]
    pub(crate) fetch_max_bytes: u64,
    /// How large the cache of repositories and requirements may become, in bytes
    #[arg(
        long,
        value_name = "BYTES",
        env = "CALLBOARD_CACHE_MAX_BYTES",
        default_value_t = 5 << 30
    )]
    pub(crate) cache_max_bytes: u64,
    /// How the service logs
    #[arg(long, value_enum, env = "CALLBOARD_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// How many workers a service has.
#[derive(Debug, Args)]
pub(crate) struct Workers {
    /// How many jobs run at once
    #[arg(long = "workers", value_name = "N", env = "CALLBOARD_WORKERS", default_value_t = 2,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) number: u16,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
