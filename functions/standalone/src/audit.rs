//! `callboard audit`: the audit log of a data folder, newest first; and its check, for `callboard verify --audit`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use callboard_core::audit::{AuditCheck, AuditFindings, AuditLog, AuditQuery, Entry};

use crate::cli::{AuditArguments, DataFolder, LogFormat};
use crate::jobs::print;
use crate::terminal::tell_none;
use crate::{logging, parts, setup};

/// Prints a table, or one JSON object per line.
pub(crate) async fn audit(arguments: &AuditArguments) -> anyhow::Result<ExitCode> {
    logging::start(LogFormat::Text, "warn");
    let log = parts::audit(parts::database_there(&setup::data_there(&arguments.data)?)?);
    let query = AuditQuery {
        tenant: arguments.tenant.clone(),
        filter: arguments.filter(),
        limit: arguments.limit,
        after: None,
    };
    let found = log.page(&query).await?.entries;
    if found.is_empty() {
        tell_none("entries", &arguments.tenant);
    }
    let text = if arguments.json || !std::io::stdout().is_terminal() {
        lines(&found)?
    } else {
        table(&found)
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Checks the audit log of a data folder, or files with lines of one; prints what is wrong and returns whether nothing is.
pub(crate) async fn verify(data: &DataFolder, files: &[PathBuf], is_partial: bool) -> anyhow::Result<bool> {
    if files.is_empty() {
        ensure!(!is_partial, "--partial is for files; name them behind --audit");
        logging::start(LogFormat::Text, "warn");
        let log = parts::audit(parts::database_there(&setup::data_there(data)?)?);
        return Ok(report(&log.check().await?));
    }
    let mut text = String::new();
    for file in files {
        read(file, &mut text).with_context(|| format!("{} cannot be read", file.display()))?;
    }
    let lines = text.lines().filter(|line| !line.is_empty());
    if is_partial {
        return Ok(report(&AuditCheck::of_part(lines)));
    }
    let found = AuditCheck::of_lines(lines);
    let is_sound = report(&found);
    if found.missing > 0 {
        println!(
            "audit log: a list of one tenant, or of some actions, has gaps by its nature; add --partial if the files are one, and all else is \
             checked"
        );
    }
    Ok(is_sound)
}

/// Reads a file, or all files below a folder.
fn read(path: &Path, text: &mut String) -> std::io::Result<()> {
    if !path.is_dir() {
        text.push_str(&std::fs::read_to_string(path)?);
        text.push('\n');
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        read(&entry?.path(), text)?;
    }
    Ok(())
}

fn report(found: &AuditFindings) -> bool {
    for told in found.notes.iter().chain(&found.faults) {
        println!("audit log: {told}");
    }
    if found.faults.is_empty() {
        let (entries, chains) = (
            number(found.entries, "entry", "entries"),
            number(found.chains, "chain", "chains"),
        );
        let not_there = match found.missing {
            0 => String::new(),
            missing => format!(
                "; {} not there",
                number(missing, "entry between them is", "entries between them are")
            ),
        };
        println!("audit log: {entries} in {chains}, as they were written{not_there}");
        if let Some((number, sha256)) = &found.last {
            println!("audit log: the last is entry {number}, {sha256}");
        }
    }
    found.faults.is_empty()
}

fn number(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn lines(entries: &[Entry]) -> anyhow::Result<String> {
    let mut text = String::new();
    for entry in entries {
        text.push_str(&serde_json::to_string(entry)?);
        text.push('\n');
    }
    Ok(text)
}

fn table(entries: &[Entry]) -> String {
    let mut text = row("TIME", "ACTION", "OUTCOME", "BY", "OBJECT");
    for entry in entries {
        text.push_str(&row(
            &entry.at.to_string(),
            &entry.action,
            entry.problem.as_deref().unwrap_or(entry.outcome.as_str()),
            entry.by.as_deref().unwrap_or("-"),
            entry.object.as_deref().unwrap_or("-"),
        ));
    }
    text
}

fn row(at: &str, action: &str, outcome: &str, by: &str, object: &str) -> String {
    format!("{at:24}  {action:18}  {outcome:17}  {by:24}  {object}\n")
}
