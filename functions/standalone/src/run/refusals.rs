//! What is refused before a job is created: prompts that nobody could answer, and files that do not exist.

use std::path::Path;

use anyhow::bail;

use crate::cli::{Prompts, RunArguments};

/// The vault password sources that prompt for the password.
const VAULT_PROMPTS: [&str; 2] = ["prompt", "prompt_ask_vault_pass"];
/// The short flags of ansible-playbook that take no value, so other flags may follow in the same word.
const WITHOUT_VALUE: &str = "bCDhv";

/// Fails if a flag would make Ansible prompt: a job has no terminal, so nobody could answer.
pub(super) fn refuse_prompts(arguments: &RunArguments) -> anyhow::Result<()> {
    let vault = arguments
        .vaults
        .ids
        .iter()
        .find(|id| prompts(id))
        .map(|id| format!("--vault-id {id}"));
    let own = prompt_flags(&arguments.prompts).first().map(|flag| (*flag).to_owned());
    let Some(flag) = own.or(vault).or_else(|| among(&arguments.more)) else {
        return Ok(());
    };
    let instead = match &*flag {
        "-k" | "--ask-pass" => "use --connection-password-file, or a key",
        "-K" | "--ask-become-pass" => "use --become-password-file",
        "--step" => "use --start-at-task or --tags to run a part",
        flag if flag == "-J" || flag.contains("vault") => "use --vault-password-file, or --vault-id with a file",
        _ => "use --connection-password-file, --become-password-file or --vault-password-file",
    };
    bail!("{flag} asks questions, and a job has no terminal; {instead}")
}

/// Returns the flags that prompt.
pub(super) fn prompt_flags(prompts: &Prompts) -> Vec<&'static str> {
    let flags = [
        (prompts.ask_pass, "--ask-pass"),
        (prompts.ask_become_pass, "--ask-become-pass"),
        (prompts.ask_vault_pass, "--ask-vault-pass"),
        (prompts.step, "--step"),
    ];
    flags
        .into_iter()
        .filter(|(given, _)| *given)
        .map(|(_, flag)| flag)
        .collect()
}

fn prompts(vault_id: &str) -> bool {
    VAULT_PROMPTS.contains(&vault_id.split_once('@').map_or(vault_id, |(_, source)| source))
}

/// Finds a flag that prompts among arguments, which are read as ansible-playbook reads them.
fn among(arguments: &[String]) -> Option<String> {
    arguments.iter().enumerate().find_map(|(at, word)| {
        let next = arguments.get(at + 1).filter(|_| word == "--vault-id");
        let id = word.strip_prefix("--vault-id=").or(next.map(String::as_str));
        if let Some(id) = id.filter(|id| prompts(id)) {
            return Some(format!("--vault-id {id}"));
        }
        if word.starts_with("--") {
            return (word.starts_with("--ask-") || word == "--step").then(|| word.clone());
        }
        let cluster = word.strip_prefix('-')?;
        let asks = cluster.chars().find(|flag| !WITHOUT_VALUE.contains(*flag))?;
        "kKJ".contains(asks).then(|| format!("-{asks}"))
    })
}

/// Fails if a flag names a file that does not exist. Paths that Ansible expands (`~`, `$`) are not checked.
pub(super) fn refuse_missing_files(arguments: &RunArguments) -> anyhow::Result<()> {
    for (flag, value, file) in files(arguments) {
        if !file.starts_with('~') && !file.contains('$') && !Path::new(file).exists() {
            bail!("{flag} {value}: there is no such file");
        }
    }
    Ok(())
}

/// Returns the flags that name files: the flag, its value, and the file name in the value.
fn files(arguments: &RunArguments) -> Vec<(&'static str, &str, &str)> {
    let (vaults, become_file) = (&arguments.vaults, &arguments.privileges.become_password_file);
    let after_at = |value| str::split_once(value, '@').map_or(value, |(_, file)| file);
    let variables = arguments.extra_vars.iter().filter(|vars| vars.starts_with('@'));
    let ids = vaults.ids.iter().map(|id| ("--vault-id", id.as_str(), after_at(id)));
    let whole = [
        ("--vault-password-file", vaults.password_files.as_slice()),
        ("--become-password-file", become_file.as_slice()),
        (
            "--connection-password-file",
            arguments.connection.connection_password_file.as_slice(),
        ),
    ];
    let whole = whole
        .into_iter()
        .flat_map(|(flag, files)| files.iter().map(move |file| (flag, file.as_str(), file.as_str())));
    variables
        .map(|vars| ("-e", vars.as_str(), after_at(vars)))
        .chain(ids)
        .chain(whole)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_ask_are_found_in_every_way_to_write_them() {
        for (words, found) in [
            ("-K", Some("-K")),
            ("-bvK", Some("-K")),
            ("-bk -v", Some("-k")),
            ("--become -J", Some("-J")),
            ("--ask-become-pass", Some("--ask-become-pass")),
            ("--vault-id dev@prompt", Some("--vault-id dev@prompt")),
            ("--vault-id=prompt", Some("--vault-id prompt")),
            ("--step", Some("--step")),
            ("-ek=v -uK --tags -t --vault-id dev@file", None),
            ("-bukK", None),
            ("--vault-id", None),
        ] {
            let arguments: Vec<String> = words.split(' ').map(str::to_owned).collect();
            assert_eq!(among(&arguments).as_deref(), found, "{words}");
        }
    }
}
