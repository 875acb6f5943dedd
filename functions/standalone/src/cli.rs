//! The command line. Every setting can be given as a variable of the same name as well.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

/// Runs Ansible playbooks as jobs, on this machine.
#[derive(Debug, Parser)]
#[command(name = "callboard", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Where things are.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The Python to make the Ansible environment with [default: the newest suitable one]
    #[arg(long, global = true, value_name = "FILE", env = "CALLBOARD_PYTHON")]
    pub(crate) python: Option<PathBuf>,
    /// More Python packages for the Ansible environment: a requirements file of pip's, such as one that lists boto3
    #[arg(long, global = true, value_name = "FILE", env = "CALLBOARD_REQUIREMENTS")]
    pub(crate) requirements: Option<PathBuf>,
    /// Where the Ansible environment is kept [default: ~/.cache/callboard]
    #[arg(long, global = true, value_name = "DIR", env = "CALLBOARD_CACHE")]
    pub(crate) cache: Option<PathBuf>,
    /// Where jobs and their output are kept [default: ~/.local/share/callboard]
    #[arg(long, global = true, value_name = "DIR", env = "CALLBOARD_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Where the folders of running jobs are made; keep it short, ssh needs that
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "CALLBOARD_WORK",
        default_value = "/tmp"
    )]
    pub(crate) work: PathBuf,
    /// How long a job that is stopped may take to end before it is killed, in seconds
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        env = "CALLBOARD_GRACE",
        default_value_t = 5
    )]
    pub(crate) grace: u64,
    /// How long jobs and their output are kept after their end, in days
    #[arg(
        long,
        global = true,
        value_name = "DAYS",
        env = "CALLBOARD_RETENTION_DAYS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=36_500)
    )]
    pub(crate) retention_days: u32,
    /// How much of a job's output is kept, in bytes; what it prints beyond that is left out, and the job goes on
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        env = "CALLBOARD_MAX_OUTPUT",
        default_value_t = 1 << 30
    )]
    pub(crate) max_output: u64,
    /// How many of a job's events are kept
    #[arg(
        long,
        global = true,
        value_name = "N",
        env = "CALLBOARD_MAX_EVENTS",
        default_value_t = 1_000_000
    )]
    pub(crate) max_events: u64,
    /// What requests may reach, in YAML; the variable CALLBOARD_POLICY holds it otherwise [default: nothing]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// How long the fetching of a repository or of requirements may take, in seconds
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        env = "CALLBOARD_FETCH_TIMEOUT",
        default_value_t = 300
    )]
    pub(crate) fetch_timeout: u64,
    /// How large a repository may be, in bytes
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        env = "CALLBOARD_FETCH_MAX_BYTES",
        default_value_t = 1 << 30
    )]
    pub(crate) fetch_max_bytes: u64,
    /// How large the cache of repositories and requirements may become, in bytes
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        env = "CALLBOARD_CACHE_MAX_BYTES",
        default_value_t = 5 << 30
    )]
    pub(crate) cache_max_bytes: u64,
    /// How the service logs
    #[arg(
        long,
        global = true,
        value_enum,
        env = "CALLBOARD_LOG_FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Runs one playbook to its end, as ansible-playbook would, and keeps its record
    Run(Box<RunArguments>),
    /// Runs the service: API, queue and workers
    Serve(ServeArguments),
    /// Makes a new key for stored credentials and seals them with it; the service may go on meanwhile
    RotateKey,
    /// Lists or forgets the host keys that jobs have accepted, where the policy has `host_key_checking: accept-new`
    KnownHosts(KnownHostsArguments),
    /// Queues jobs again that wait although the queue has given them up
    Redrive(RedriveArguments),
    /// Checks that a finished job's output is what was written, and names what is missing or damaged
    Verify(VerifyArguments),
    /// Prints the OpenAPI document of the API
    Openapi,
}

/// The flags of `run`, named as those of ansible-playbook.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The playbook
    pub(crate) playbook: PathBuf,
    /// Hosts ("a,b,") or an inventory file or folder; may be given several times [default: localhost,]
    #[arg(short, long, value_name = "INVENTORY")]
    pub(crate) inventory: Vec<String>,
    /// Variables: k=v, JSON, or @file; may be given several times
    #[arg(short, long = "extra-vars", value_name = "VARS")]
    pub(crate) extra_vars: Vec<String>,
    /// Predicts changes and makes none
    #[arg(short = 'C', long)]
    pub(crate) check: bool,
    /// Shows the differences in changed files
    #[arg(short = 'D', long)]
    pub(crate) diff: bool,
    /// Only plays and tasks with these tags
    #[arg(short, long)]
    pub(crate) tags: Vec<String>,
    /// Leaves out plays and tasks with these tags
    #[arg(long)]
    pub(crate) skip_tags: Vec<String>,
    /// Only these hosts
    #[arg(short, long, value_name = "PATTERN")]
    pub(crate) limit: Option<String>,
    /// How many hosts to work on at once
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) forks: Option<u32>,
    /// Tells more; up to -vvvv
    #[arg(short, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Ends the job when it has run this long
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub(crate) timeout: Option<u64>,
    /// Prints the job's record as JSON, and Ansible's output to standard error
    #[arg(long)]
    pub(crate) json: bool,
    /// More arguments for ansible-playbook, after `--`
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub(crate) more: Vec<String>,
}

/// The flags of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Where to listen: an address or a name, and a port
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "CALLBOARD_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    pub(crate) listen: String,
    /// The folder of playbooks that may be run
    #[arg(long, value_name = "DIR", env = "CALLBOARD_PLAYBOOKS", default_value = "playbooks")]
    pub(crate) playbooks: PathBuf,
    /// How many jobs run at once
    #[arg(long, value_name = "N", env = "CALLBOARD_WORKERS", default_value_t = 2,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: u16,
    /// How long running jobs may go on when the service is told to stop, in seconds
    #[arg(long, value_name = "SECONDS", env = "CALLBOARD_SHUTDOWN_GRACE", default_value_t = 30)]
    pub(crate) shutdown_grace: u64,
    /// The largest request body, in bytes
    #[arg(long, value_name = "BYTES", env = "CALLBOARD_MAX_BODY", default_value_t = 6 * 1024 * 1024)]
    pub(crate) max_body: usize,
    /// How many jobs may wait; a submission beyond that is answered with 429
    #[arg(long, value_name = "N", env = "CALLBOARD_MAX_QUEUED", default_value_t = 10_000)]
    pub(crate) max_queued: u32,
    /// How many requests may follow output, poll events or wait for a job at a time; one beyond that is answered with 429
    #[arg(long, value_name = "N", env = "CALLBOARD_MAX_FOLLOWERS", default_value_t = 200)]
    pub(crate) max_followers: usize,
    /// How long ?sync=true waits, in seconds
    #[arg(long, value_name = "SECONDS", env = "CALLBOARD_SYNC_WAIT", default_value_t = 30)]
    pub(crate) sync_wait: u64,
}

/// The arguments of `known-hosts`.
#[derive(Debug, Args)]
pub(crate) struct KnownHostsArguments {
    #[command(subcommand)]
    pub(crate) verb: KnownHostsVerb,
}

/// What to do with accepted host keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KnownHostsVerb {
    /// Prints each host, the type of its key and the key's fingerprint
    List,
    /// Forgets a host's key, so that the next job accepts the one that the host has then
    Forget {
        /// The host as `list` has it; one with a port that is not 22 is [HOST]:PORT
        #[arg(value_name = "HOST")]
        host: String,
    },
}

/// The arguments of `redrive`.
#[derive(Debug, Args)]
pub(crate) struct RedriveArguments {
    /// The jobs [default: all that the queue has given up]
    #[arg(value_name = "JOB")]
    pub(crate) jobs: Vec<String>,
}

/// The arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The job, in the data folder
    #[arg(value_name = "JOB", required_unless_present = "folder", conflicts_with = "folder")]
    pub(crate) job: Option<String>,
    /// A copy of the folder logs/JOB/ATTEMPT of the bucket, instead of a job in the data folder
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}
