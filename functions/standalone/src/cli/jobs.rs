//! The arguments of the verbs that concern jobs which are there.

use std::path::PathBuf;

use callboard_core::base::id::Tenant;
use callboard_core::job::JobStatus;
use clap::Args;

use super::DataFolder;

/// The arguments of `list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only jobs in this state: pending, running, successful, failed or canceled
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<JobStatus>,
    /// Only dead-lettered jobs; `callboard redrive` queues them again
    #[arg(long)]
    pub(crate) dead_letter: bool,
    /// Only jobs of this kind: ansible, http, shell, container or function
    #[arg(long, value_name = "KIND", value_parser = ["ansible", "http", "shell", "container", "function"])]
    pub(crate) kind: Option<String>,
    /// Only calls of this service
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// Only calls of this operation of the service
    #[arg(long, value_name = "NAME", requires = "service")]
    pub(crate) operation: Option<String>,
    /// The tenant whose jobs to list
    #[arg(long, value_name = "TENANT", default_value = "default")]
    pub(crate) tenant: Tenant,
    /// The maximum number of jobs
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// One JSON object per line, even on a terminal
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

/// The arguments of `show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// The job's id
    #[arg(value_name = "JOB")]
    pub(crate) job: String,
    /// The API's JSON, even on a terminal
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

/// The arguments of `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    /// The job's id
    #[arg(value_name = "JOB")]
    pub(crate) job: String,
    /// Follows the output until the job has ended
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// The attempt whose output to print, counted from 1 [default: the last one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempt: Option<u32>,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

/// The arguments of `redrive`.
#[derive(Debug, Args)]
pub(crate) struct RedriveArguments {
    /// The jobs' ids [default: all dead-lettered jobs]
    #[arg(value_name = "JOB")]
    pub(crate) jobs: Vec<String>,
    /// Only the dead-lettered jobs of this playbook or role, as `callboard list` names it
    #[arg(long, value_name = "NAME", conflicts_with = "jobs")]
    pub(crate) playbook: Option<String>,
    /// The tenant whose dead-lettered jobs to queue again
    #[arg(long, value_name = "TENANT", default_value = "default", conflicts_with = "jobs")]
    pub(crate) tenant: Tenant,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

/// The arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The id of a job in the data folder
    #[arg(value_name = "JOB", required_unless_present_any = ["folder", "audit"], conflicts_with = "folder")]
    pub(crate) job: Option<String>,
    /// The folder of one attempt instead: logs/JOB/ATTEMPT of a data folder, or a copy of it or of the bucket's
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// The audit log instead: the data folder's, or files and folders with lines of one, such as copies of the audit bucket's objects
    #[arg(long, value_name = "PATH", num_args = 0.., conflicts_with_all = ["job", "folder"])]
    pub(crate) audit: Option<Vec<PathBuf>>,
    /// The files with lines of an audit log have a part of it, such as the entries of one tenant: what is not there is no fault
    #[arg(long, requires = "audit")]
    pub(crate) partial: bool,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}
