//! The flags of `run`: those of ansible-playbook, in both of its spellings, and few of our own.

use clap::{ArgAction, Args};

use super::Common;

/// The flags of `run`, named as those of ansible-playbook.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct RunArguments {
    /// The playbooks: files, or playbooks of collections by name (acme.web.site)
    #[arg(value_name = "PLAYBOOK", required_unless_present_any = ["version", "service"])]
    pub(crate) playbooks: Vec<String>,
    /// Hosts ("a,b,") or an inventory file, folder or script; may be given several times [default: Ansible's own setting, or localhost,]
    #[arg(short, long, visible_alias = "inventory-file", value_name = "INVENTORY")]
    pub(crate) inventory: Vec<String>,
    /// Variables: k=v, JSON, or @file; may be given several times
    #[arg(short, long = "extra-vars", value_name = "VARS")]
    pub(crate) extra_vars: Vec<String>,
    /// Predicts changes without making them
    #[arg(short = 'C', long)]
    pub(crate) check: bool,
    /// Shows the differences in changed files
    #[arg(short = 'D', long)]
    pub(crate) diff: bool,
    /// Runs only plays and tasks with these tags
    #[arg(short, long)]
    pub(crate) tags: Vec<String>,
    /// Skips plays and tasks with these tags
    #[arg(long)]
    pub(crate) skip_tags: Vec<String>,
    /// Limits the run to these hosts
    #[arg(short, long, value_name = "PATTERN")]
    pub(crate) limit: Option<String>,
    /// The number of hosts to work on at once
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) forks: Option<u32>,
    /// Starts at the task with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) start_at_task: Option<String>,
    /// Runs handlers even if a task fails
    #[arg(long)]
    pub(crate) force_handlers: bool,
    /// Clears the fact cache of every host
    #[arg(long)]
    pub(crate) flush_cache: bool,
    /// Folders to search for modules first, separated by `:`
    #[arg(short = 'M', long, value_name = "PATH")]
    pub(crate) module_path: Vec<String>,
    /// Prints more; up to -vvvvvv
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Stops the job after this time; for the connection timeout use -T
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub(crate) timeout: Option<u64>,
    /// Prints the job's record as JSON, and Ansible's output to standard error
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) privileges: Privileges,
    #[command(flatten)]
    pub(crate) vaults: Vaults,
    #[command(flatten)]
    pub(crate) call: Call,
    #[command(flatten)]
    pub(crate) shown: Shown,
    #[command(flatten)]
    pub(crate) prompts: Prompts,
    #[command(flatten)]
    pub(crate) common: Common,
    /// More arguments for ansible-playbook, after `--`
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub(crate) more: Vec<String>,
}

/// How hosts are reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Connects as this user
    #[arg(short = 'u', long = "user", value_name = "USER")]
    pub(crate) user: Option<String>,
    /// The connection plugin
    #[arg(short = 'c', long = "connection", value_name = "PLUGIN")]
    pub(crate) plugin: Option<String>,
    /// Connection timeout
    #[arg(short = 'T', value_name = "SECONDS")]
    pub(crate) connection_timeout: Option<u32>,
    /// The key to authenticate with
    #[arg(long, visible_alias = "key-file", value_name = "FILE")]
    pub(crate) private_key: Option<String>,
    /// A file that holds the password, or a script that prints it
    #[arg(long, visible_alias = "conn-pass-file", value_name = "FILE")]
    pub(crate) connection_password_file: Option<String>,
    /// Arguments for ssh, scp and sftp
    #[arg(long, value_name = "ARGUMENTS", allow_hyphen_values = true)]
    pub(crate) ssh_common_args: Option<String>,
    /// Arguments for ssh
    #[arg(long, value_name = "ARGUMENTS", allow_hyphen_values = true)]
    pub(crate) ssh_extra_args: Option<String>,
    /// Arguments for sftp
    #[arg(long, value_name = "ARGUMENTS", allow_hyphen_values = true)]
    pub(crate) sftp_extra_args: Option<String>,
    /// Arguments for scp
    #[arg(long, value_name = "ARGUMENTS", allow_hyphen_values = true)]
    pub(crate) scp_extra_args: Option<String>,
}

/// As whom tasks are run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Privileges")]
pub(crate) struct Privileges {
    /// Runs operations as another user
    #[arg(short, long)]
    pub(crate) r#become: bool,
    /// User to become [default: root]
    #[arg(long, value_name = "USER")]
    pub(crate) become_user: Option<String>,
    /// Method to become that user [default: sudo]
    #[arg(long, value_name = "METHOD")]
    pub(crate) become_method: Option<String>,
    /// A file that holds the password, or a script that prints it
    #[arg(long, visible_alias = "become-pass-file", value_name = "FILE")]
    pub(crate) become_password_file: Option<String>,
}

/// What opens vaults.
#[derive(Debug, Args)]
#[command(next_help_heading = "Vaults")]
pub(crate) struct Vaults {
    /// A vault's password: label@file; may be given several times
    #[arg(long = "vault-id", value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// A file that holds a vault's password, or a script that prints it; may be given several times
    #[arg(long = "vault-password-file", visible_alias = "vault-pass-file", value_name = "FILE")]
    pub(crate) password_files: Vec<String>,
}

/// The operation of a service to call instead.
#[derive(Debug, Args)]
#[command(next_help_heading = "Instead of playbooks")]
pub(crate) struct Call {
    /// Calls an operation of this service of --services
    #[arg(long, value_name = "NAME", requires = "operation", conflicts_with = "playbooks")]
    pub(crate) service: Option<String>,
    /// The operation
    #[arg(long, value_name = "NAME", requires = "service")]
    pub(crate) operation: Option<String>,
    /// Its input: JSON, @file, or - for standard input
    #[arg(long, value_name = "JSON", requires = "service", allow_hyphen_values = true)]
    pub(crate) input: Option<String>,
}

/// What ansible-playbook only shows. It makes no job and no record.
#[derive(Debug, Args)]
#[command(next_help_heading = "Without a job")]
pub(crate) struct Shown {
    /// Lists the tasks that would be run
    #[arg(long)]
    pub(crate) list_tasks: bool,
    /// Lists the hosts that the playbooks match
    #[arg(long)]
    pub(crate) list_hosts: bool,
    /// Lists all tags
    #[arg(long)]
    pub(crate) list_tags: bool,
    /// Checks the syntax of the playbooks
    #[arg(long)]
    pub(crate) syntax_check: bool,
    /// Shows Ansible's version, and where it looks for its files
    #[arg(long)]
    pub(crate) version: bool,
}

/// What would ask questions, which a job cannot.
#[derive(Debug, Args)]
pub(crate) struct Prompts {
    #[arg(short = 'k', long, hide = true)]
    pub(crate) ask_pass: bool,
    #[arg(short = 'K', long, hide = true)]
    pub(crate) ask_become_pass: bool,
    #[arg(short = 'J', long, alias = "ask-vault-password", hide = true)]
    pub(crate) ask_vault_pass: bool,
    #[arg(long, hide = true)]
    pub(crate) step: bool,
}
