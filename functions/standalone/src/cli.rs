//! The command line. Every setting can also be given as an environment variable of the same name.
//!
//! A verb has the flags that concern it. What names a place, such as `--data`, says where to ask; the other flags of `list`,
//! `show` and `logs` say what, and hold wherever that is.

mod amounts;
mod audit;
mod doctor;
mod job_user;
mod jobs;
mod keys;
mod known_hosts;
mod quotas;
mod run;
mod serve;
mod services;
mod settings;

use std::ffi::OsString;

use clap::{Args, Command, Parser, Subcommand};

pub(crate) use self::audit::AuditArguments;
pub(crate) use self::doctor::DoctorArguments;
pub(crate) use self::job_user::JobUser;
pub(crate) use self::jobs::{ListArguments, LogsArguments, RedriveArguments, ShowArguments, VerifyArguments};
pub(crate) use self::keys::{KeysArguments, KeysVerb};
pub(crate) use self::known_hosts::{KnownHostsArguments, KnownHostsVerb};
pub(crate) use self::quotas::QuotasArguments;
pub(crate) use self::run::{Call, Prompts, RunArguments, Shown};
pub(crate) use self::serve::ServeArguments;
pub(crate) use self::services::{ServicesArguments, ServicesVerb};
pub(crate) use self::settings::{Common, DataFolder, Isolate, Isolated, Load, LogFormat, Playbooks};

/// Runs Ansible playbooks and operations of services as jobs, on this machine.
#[derive(Debug, Parser)]
#[command(name = "callboard", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Runs playbooks to their end, as ansible-playbook would, or an operation of a service, and keeps a record
    Run(Box<RunArguments>),
    /// Runs the service: API, queue and workers
    Serve(Box<ServeArguments>),
    /// Lists jobs, newest first: a table on a terminal, otherwise one JSON object per line
    List(ListArguments),
    /// Shows the record of a job: a summary on a terminal, otherwise the API's JSON
    Show(ShowArguments),
    /// Prints a job's output, byte for byte
    Logs(LogsArguments),
    /// Checks a finished job's output, or the audit log, and names anything that is missing or damaged
    Verify(VerifyArguments),
    /// Lists the audit log, newest first: a table on a terminal, otherwise one JSON object per line
    Audit(AuditArguments),
    /// Shows how much of its quotas a tenant uses: a table on a terminal, otherwise the API's JSON
    Quotas(QuotasArguments),
    /// Checks the data folder, the settings and the machine, and says what is wrong and what to do; changes nothing
    Doctor(Box<DoctorArguments>),
    /// Queues dead-lettered jobs again
    Redrive(RedriveArguments),
    /// Makes, lists, rotates and revokes API keys; the service can keep running
    Keys(KeysArguments),
    /// Lists or removes the host keys that jobs have accepted under the policy's `host_key_checking: accept-new`
    KnownHosts(KnownHostsArguments),
    /// Checks a registry of services, or writes an example
    Services(ServicesArguments),
    /// Makes a new key and encrypts the stored credentials with it; the service can keep running
    RotateKey(DataFolder),
    /// Prints the OpenAPI document of the API
    Openapi,
}

impl Cli {
    /// Reads the command line; ends the program where it is wrong or asks for help.
    pub(crate) fn read() -> Self {
        Self::parse_from(verb_first(std::env::args_os().collect()))
    }
}

impl Verb {
    /// Returns how many jobs run at once.
    pub(crate) fn workers(&self) -> usize {
        match self {
            Self::Serve(arguments) => arguments.load.workers.into(),
            _ => 1,
        }
    }
}

/// Settings may stand before the verb that they are for; all of them have a value.
fn verb_first(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let settings = Common::augment_args(Command::new("settings"));
    let is_setting = |name: &str| settings.get_arguments().any(|known| known.get_long() == Some(name));
    let mut verb = 1;
    while let Some(flag) = arguments.get(verb).and_then(|text| text.to_str()?.strip_prefix("--")) {
        let (name, value) = flag
            .split_once('=')
            .map_or((flag, None), |(name, value)| (name, Some(value)));
        if !is_setting(name) {
            break;
        }
        verb += if value.is_some() { 1 } else { 2 };
    }
    if verb < arguments.len() {
        arguments[1..=verb].rotate_right(1);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_before_the_verb_are_those_of_the_verb() {
        for (given, expected) in [
            ("callboard --data d serve", "callboard serve --data d"),
            (
                "callboard --data=d --work w run a.yml -v",
                "callboard run --data=d --work w a.yml -v",
            ),
            ("callboard run a.yml --data d", "callboard run a.yml --data d"),
            ("callboard --nonsense run", "callboard --nonsense run"),
            ("callboard --version", "callboard --version"),
            ("callboard --data", "callboard --data"),
        ] {
            let given = given.split(' ').map(OsString::from).collect();
            assert_eq!(verb_first(given).join(" ".as_ref()), expected);
        }
    }

    #[test]
    fn the_units_for_systemd_have_flags_of_serve() {
        for unit in [
            include_str!("../../../examples/callboard.service"),
            include_str!("../../../examples/callboard-job-users.service"),
        ] {
            let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart="));
            let parsed = Cli::try_parse_from(command.unwrap_or_default().split(' '));
            assert!(matches!(parsed.map(|cli| cli.verb), Ok(Verb::Serve(_))));
        }
    }

    #[test]
    fn the_definitions_of_all_verbs_agree() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
