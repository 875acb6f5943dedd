//! Limits on the size and depth of an inventory, and on the depth of a playbook. Ansible's YAML reader has no limits of its
//! own: nesting that is too deep ends its process, and aliases can expand without end.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io, thread};

use callboard_process::files::read_bounded;
use serde::de::IgnoredAny;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Options};

use crate::blocking::Going;

/// The maximum size of a file of an inventory, in bytes.
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The maximum total size of the files of an inventory, in bytes.
const MAX_ALL_BYTES: usize = 64 * 1024 * 1024;
const MAX_FILES: usize = 100_000;
const MAX_DEPTH: usize = 100;
const STACK_BYTES: usize = 32 * 1024 * 1024;
/// How many values all aliases together may stand for.
const MAX_ALIASED: usize = 1_000_000;
/// The folders beside an inventory where Ansible looks for variables.
const BESIDE: [&str; 2] = ["group_vars", "host_vars"];

/// Checks text that Ansible will read as YAML; the error is the end of a sentence.
pub(crate) fn check(content: &[u8]) -> Result<(), String> {
    if content.len() > MAX_BYTES {
        return Err(format!("is larger than {MAX_BYTES} bytes"));
    }
    let text = String::from_utf8_lossy(content);
    let read = || serde_saphyr::from_str_with_options::<IgnoredAny>(&text, options()).map_err(Box::new);
    // this reader recurses, so its stack must be large enough for the maximum depth
    let read = thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, read);
        thread.ok()?.join().ok()
    });
    match read {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => verdict(&error, &text),
        None => Err("could not be checked: the machine has no thread to spare".to_owned()),
    }
}

/// Checks an inventory that is a file or a folder, with the variables beside it; the error names the file.
pub(crate) fn check_files(inventory: &Path, going: &Going) -> io::Result<Result<(), String>> {
    let beside = inventory.parent().filter(|_| inventory.is_file()).into_iter();
    let beside = beside.flat_map(|folder| BESIDE.map(|name| folder.join(name)));
    let mut waiting: Vec<PathBuf> = [inventory.to_owned()].into_iter().chain(beside).collect();
    let (mut seen, mut bytes) = (HashSet::new(), 0);
    while let Some(path) = waiting.pop() {
        going.check()?;
        // a link may lead back to its own folder, or nowhere
        let Ok(path) = path.canonicalize() else { continue };
        if !seen.insert(path.clone()) {
            continue;
        }
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        } else if path.is_file() {
            let checked = check_file(&path)?.and_then(|read| {
                bytes += read;
                if bytes > MAX_ALL_BYTES {
                    return Err(format!("has more than {MAX_ALL_BYTES} bytes"));
                }
                Ok(())
            });
            if let Err(wrong) = checked {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                return Ok(Err(format!("{wrong} ({name})")));
            }
        }
        if seen.len() > MAX_FILES {
            return Ok(Err(format!("has more than {MAX_FILES} files")));
        }
    }
    Ok(Ok(()))
}

/// Checks a file that Ansible will read as YAML, and returns its size; the error is the end of a sentence.
pub(crate) fn check_file(path: &Path) -> io::Result<Result<usize, String>> {
    Ok(match read_bounded(path, MAX_BYTES as u64)? {
        Some(content) => check(&content).map(|()| content.len()),
        None => Err(format!("has a file of more than {MAX_BYTES} bytes")),
    })
}

fn options() -> Options {
    serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: usize::MAX,
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_aliases: usize::MAX,
            max_anchors: usize::MAX,
            max_merge_keys: usize::MAX,
            max_recorded_anchor_events: usize::MAX,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_ALIASED },
    }
}

/// Keeps only the errors about depth and aliases: Ansible reports the others itself, with line and column. But Ansible may
/// read on where this reader stops.
fn verdict(error: &Error, text: &str) -> Result<(), String> {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => verdict(error, text),
        Error::Budget {
            breach: BudgetBreach::Depth { .. },
            ..
        } => Err(too_deep()),
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            Err(format!("has aliases that stand for more than {MAX_ALIASED} values"))
        }
        _ if looks_deep(text) => Err(too_deep()),
        _ => Ok(()),
    }
}

fn too_deep() -> String {
    format!("is nested deeper than {MAX_DEPTH} levels")
}

/// Returns whether the open brackets, or the dashes on one line, are too many for anything but deep nesting.
fn looks_deep(text: &str) -> bool {
    let mut open = 0_usize;
    let brackets = text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > 10 * MAX_DEPTH
    });
    let indicators = |line: &str| line.split(' ').filter(|word| matches!(*word, "-" | "?" | ":")).count();
    brackets || text.lines().any(|line| indicators(line) > 10 * MAX_DEPTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_deep_or_stands_for_too_much_is_known_in_every_form() {
        let deep =
            |open: &str, close: &str, times: usize| format!("all: {}x{}", open.repeat(times), close.repeat(times));
        let block = |times: usize| format!("all:\n  {}x\n", "- ".repeat(times));
        let mut laugh = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let inner = vec![format!("*a{}", level - 1); 10].join(", ");
            laugh += &format!("a{level}: &a{level} [{inner}]\n");
        }
        for wrong in [
            deep("[", "]", 200),
            deep("[", "", 20_000),
            deep("{a: ", "}", 200),
            deep("[{a: ", "}]", 20_000),
            block(200),
            block(20_000),
            format!(
                "{}a: 1",
                (0..200)
                    .map(|depth| format!("{}a:\n", " ".repeat(depth)))
                    .collect::<String>()
                    + &" ".repeat(200)
            ),
            format!("\tx: @broken\n{}", "[".repeat(20_000)),
            format!("\tx: @broken\n{}", "- ".repeat(20_000)),
            laugh,
            "x".repeat(MAX_BYTES + 1),
        ] {
            assert!(check(wrong.as_bytes()).is_err(), "{}", &wrong[..60.min(wrong.len())]);
        }
        let shared = format!(
            "all: {{vars: {{a: &a {{b: [1, 2]}}}}, hosts: {{{}}}}}",
            (0..2_000).map(|n| format!("h{n}: *a, ")).collect::<String>()
        );
        for right in [
            deep("[", "]", 90),
            block(90),
            shared,
            "[web]\nweb1 x=[[[[\n".to_owned(),
            "$ANSIBLE_VAULT;1.1;AES256\n3066\n".to_owned(),
            "all:\n  hosts:\n   - [unbalanced\n".to_owned(),
            format!(
                "all: {{hosts: {{{}}}}}",
                (0..2_000).map(|n| format!("h{n}: {{x: [{n}]}}, ")).collect::<String>()
            ),
        ] {
            assert_eq!(check(right.as_bytes()), Ok(()), "{}", &right[..60.min(right.len())]);
        }
    }

    #[test]
    fn all_files_of_a_folder_and_the_variables_beside_a_file_are_looked_at() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (root, deep) = (folder.path(), "- ".repeat(1000) + "x");
        for (name, content) in [
            ("good/hosts.yml", "all:"),
            ("group_vars/web/deep.yml", &deep),
            ("hosts", "[web]\na\n"),
        ] {
            fs::create_dir_all(root.join(name).parent().unwrap_or(root))?;
            fs::write(root.join(name), content)?;
        }
        std::os::unix::fs::symlink("..", root.join("good/back"))?;
        std::os::unix::fs::symlink("nowhere", root.join("good/nowhere"))?;
        let told = |path: &str| {
            check_files(&root.join(path), &Going::default()).map(|checked| checked.err().unwrap_or_default())
        };
        assert_eq!(told("good/hosts.yml")?, "");
        assert_eq!(told("hosts")?, "is nested deeper than 100 levels (deep.yml)");
        assert_eq!(told("good")?, "is nested deeper than 100 levels (deep.yml)");
        // the system states no size for it, and gives it only in units of eight bytes
        fs::create_dir(root.join("endless"))?;
        std::os::unix::fs::symlink("/proc/self/pagemap", root.join("endless/x"))?;
        assert!(told("endless").is_err());
        Ok(())
    }
}
