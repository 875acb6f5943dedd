//! Calls that only show something, such as a list of tasks. They are not jobs: `ansible-playbook` itself replaces this program.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::Context;

use super::{refusals, request};
use crate::cli::{RunArguments, Shown};
use crate::setup;

/// Returns whether the call only shows something and runs nothing.
pub(super) fn only_shows(arguments: &RunArguments) -> bool {
    const FLAGS: [&str; 5] = [
        "--list-tasks",
        "--list-hosts",
        "--list-tags",
        "--syntax-check",
        "--version",
    ];
    let more = &arguments.more;
    !shown_flags(&arguments.shown).is_empty() || more.iter().any(|word| FLAGS.contains(&word.as_str()))
}

/// Replaces this process with ansible-playbook, with the caller's environment, folder, streams and arguments, and the
/// configuration of a run.
pub(super) async fn show(arguments: &RunArguments) -> anyhow::Result<ExitCode> {
    let environment = setup::environment(&arguments.common).await?;
    let current = super::current_folder()?;
    // ansible-playbook itself reports a missing playbook
    let folder = request::playbooks_folder(&arguments.playbooks).unwrap_or_else(|_| current.clone());
    let inventories = arguments
        .inventory
        .iter()
        .map(|inventory| format!("--inventory={inventory}"));
    let error = callboard_ansible::stock(&environment, &current, &folder)
        .args(inventories)
        .args(callboard_ansible::flags_of(&request::options(arguments)))
        .args(shown_flags(&arguments.shown))
        .args(refusals::prompt_flags(&arguments.prompts))
        .args(request::unrecorded(arguments))
        .args(&arguments.playbooks)
        .exec();
    Err(error).context("ansible-playbook cannot be started")
}

fn shown_flags(shown: &Shown) -> Vec<&'static str> {
    let flags = [
        (shown.list_tasks, "--list-tasks"),
        (shown.list_hosts, "--list-hosts"),
        (shown.list_tags, "--list-tags"),
        (shown.syntax_check, "--syntax-check"),
        (shown.version, "--version"),
    ];
    flags
        .into_iter()
        .filter(|(given, _)| *given)
        .map(|(_, flag)| flag)
        .collect()
}
