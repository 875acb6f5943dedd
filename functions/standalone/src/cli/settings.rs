//! Settings: where things are, and how jobs are run.

use std::path::PathBuf;

use anyhow::Context;
use callboard_ansible::PlaybookFolder;
use clap::{Args, ValueEnum};

use super::JobUser;
use super::amounts::{bytes, seconds};

/// Where to ask for jobs.
#[derive(Debug, Args)]
pub(crate) struct DataFolder {
    /// The folder for jobs and their output [default: ~/.local/share/callboard]
    #[arg(long = "data", value_name = "DIR", env = "CALLBOARD_DATA")]
    pub(crate) path: Option<PathBuf>,
}

/// What every verb that runs jobs takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Common {
    /// The Python to create the Ansible environment with [default: the newest suitable one]
    #[arg(long, value_name = "FILE", env = "CALLBOARD_PYTHON")]
    pub(crate) python: Option<PathBuf>,
    /// A pip requirements file with more packages for the Ansible environment, such as boto3
    #[arg(long, value_name = "FILE", env = "CALLBOARD_REQUIREMENTS")]
    pub(crate) requirements: Option<PathBuf>,
    /// The folder for the Ansible environment [default: ~/.cache/callboard]
    #[arg(long, value_name = "DIR", env = "CALLBOARD_CACHE")]
    pub(crate) cache: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataFolder,
    /// The folder for running jobs, in which isolated jobs can make nothing else; keep the path short, because ssh needs that
    #[arg(long, value_name = "DIR", env = "CALLBOARD_WORK", default_value = "/var/tmp")]
    pub(crate) work: PathBuf,
    /// How long a stopped job may take to end before it is killed, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, env = "CALLBOARD_GRACE", default_value_t = 5)]
    pub(crate) grace: u64,
    /// How long jobs and their output are kept after they end, in days
    #[arg(
        long,
        value_name = "DAYS",
        env = "CALLBOARD_RETENTION_DAYS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=36_500)
    )]
    pub(crate) retention_days: u32,
    /// How much of a job's output is kept, in bytes or with a unit, such as 1GiB; the rest is dropped, and the job goes on
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = bytes,
        env = "CALLBOARD_MAX_OUTPUT",
        default_value_t = 1 << 30
    )]
    pub(crate) max_output: u64,
    /// How many of a job's events are kept
    #[arg(long, value_name = "N", env = "CALLBOARD_MAX_EVENTS", default_value_t = 1_000_000)]
    pub(crate) max_events: u64,
    /// A YAML file that says what requests may reach; the variable CALLBOARD_POLICY can hold it instead [default: nothing]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// A YAML file, or a folder of them, with the services whose operations jobs may call; read again when it changes [default: none]
    #[arg(long, value_name = "PATH", env = "CALLBOARD_SERVICES")]
    pub(crate) services: Option<PathBuf>,
    /// The socket of the engine that runs containers, Docker or Podman, such as unix:///run/user/1000/podman/podman.sock [default:
    /// DOCKER_HOST, or the usual one]
    #[arg(long, value_name = "URL", env = "CALLBOARD_ENGINE")]
    pub(crate) engine: Option<String>,
    /// How long fetching a repository or requirements may take, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, env = "CALLBOARD_FETCH_TIMEOUT", default_value_t = 300)]
    pub(crate) fetch_timeout: u64,
    /// How much may be fetched for one job, in bytes, packed or unpacked
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = bytes,
        env = "CALLBOARD_FETCH_MAX_BYTES",
        default_value_t = 1 << 30
    )]
    pub(crate) fetch_max_bytes: u64,
    /// The maximum size of the cache of repositories and requirements, in bytes
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = bytes,
        env = "CALLBOARD_CACHE_MAX_BYTES",
        default_value_t = 5 << 30
    )]
    pub(crate) cache_max_bytes: u64,
    /// The format of the log
    #[arg(long, value_enum, env = "CALLBOARD_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// How much a service does at once.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// How many jobs run at once
    #[arg(long, value_name = "N", env = "CALLBOARD_WORKERS", default_value_t = 2,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: u16,
    /// How many calls of services over HTTP, and of functions, run at once, besides
    #[arg(long, value_name = "N", env = "CALLBOARD_CALLS", default_value_t = 256,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) calls: u16,
    /// How many requests may follow output, poll events or wait for a job at a time; further ones are answered with 429
    #[arg(long, value_name = "N", env = "CALLBOARD_MAX_FOLLOWERS", default_value_t = 200)]
    pub(crate) max_followers: u16,
}

/// The playbooks of a service.
#[derive(Debug, Args)]
pub(crate) struct Playbooks {
    /// The folder of playbooks that may be run
    #[arg(
        long = "playbooks",
        value_name = "DIR",
        env = "CALLBOARD_PLAYBOOKS",
        default_value = "playbooks"
    )]
    pub(crate) folder: PathBuf,
}

impl Playbooks {
    /// Opens the folder.
    pub(crate) fn open(&self) -> anyhow::Result<PlaybookFolder> {
        PlaybookFolder::open(&self.folder).with_context(|| {
            format!(
                "the playbooks folder {} cannot be used; name one with --playbooks",
                self.folder.display()
            )
        })
    }
}

/// How jobs are kept from the service and from each other.
#[derive(Debug, Args)]
pub(crate) struct Isolated {
    /// Whether playbooks are kept from what belongs to the service and to other jobs by Landlock: `on` as far as the system can, unless
    /// they run as root; `required` for root as well, and the service does not start without; `off` not at all
    #[arg(long, value_enum, env = "CALLBOARD_ISOLATION", default_value = "on")]
    pub(crate) isolation: Isolate,
    /// A folder or file that isolated jobs may change all the same, such as one in the playbooks folder; may be repeated
    #[arg(long, value_name = "PATH", env = "CALLBOARD_WRITABLE", value_delimiter = ',')]
    pub(crate) writable: Vec<PathBuf>,
    /// As whom playbooks run, where the service is root: a user, by name or id; or a range of ids in which nobody has one, such as
    /// 20000-20031, for a user of its own for each job [default: as root]
    #[arg(long, value_name = "USER|FIRST-LAST", env = "CALLBOARD_JOB_USER")]
    pub(crate) job_user: Option<JobUser>,
}

/// How far jobs are isolated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Isolate {
    /// As far as the system can, but for root.
    On,
    /// Whoever runs them, or not at all.
    Required,
    /// Not at all.
    Off,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}
