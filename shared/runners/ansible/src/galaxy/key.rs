//! The name of requirements in the cache: a hash of everything that decides what is installed for them.

use std::path::Path;

use callboard_process::files::read_bounded;
use serde_json::Value;

use super::Requirements;
use super::entries::{MAX_BYTES, parse};
use crate::archive;
use crate::digest::digest;
use crate::task::Task;
use crate::unready::Unready;

/// Returns the name of the requirements in the cache; `None` if they do not fully determine what is installed.
pub(super) fn key(task: &Task<'_>, requirements: &Requirements<'_>) -> Result<Option<String>, Unready> {
    let environment = task.settings.environment.python.display().to_string();
    let mut parts = vec![
        task.job.tenant.as_str().as_bytes().to_vec(),
        requirements.identity.clone().into_bytes(),
        environment.into_bytes(),
        // what may be fetched, by requirements of requirements as well, and which servers are used if none is named
        task.reach.policy.places().into_bytes(),
    ];
    let mut is_of_commit = false;
    for file in &requirements.files {
        let Some(content) = read_bounded(file, MAX_BYTES)? else {
            return Err(Unready::source(format!(
                "{} hold a file of more than {MAX_BYTES} bytes.",
                requirements.of
            )));
        };
        is_of_commit |= may_name_a_file(&content, &requirements.folder);
        parts.push(content);
    }
    let configuration = requirements.folder.join("ansible.cfg");
    if configuration.exists() {
        match archive::inside(&requirements.folder, "ansible.cfg").map(|path| read_bounded(&path, MAX_BYTES)) {
            Some(Ok(Some(content))) => parts.push(content),
            _ => is_of_commit = true,
        }
    }
    if is_of_commit {
        let Some(commit) = &requirements.commit else {
            return Ok(None);
        };
        parts.push(commit.clone().into_bytes());
    }
    let digest = digest(parts.iter().map(Vec::as_slice));
    Ok(Some(format!("requirements/{digest}.tar")))
}

/// Returns whether requirements may name something in the folder that they are installed from: a collection, an archive, or
/// a file with more requirements. A role's entry may have a version and a name after commas. What cannot be read may name anything.
fn may_name_a_file(content: &[u8], folder: &Path) -> bool {
    fn any(value: &Value, is: &dyn Fn(&str) -> bool) -> bool {
        match value {
            Value::String(text) => text.split(',').map(str::trim).any(is) || is(text),
            Value::Array(items) => items.iter().any(|item| any(item, is)),
            Value::Object(entries) => entries.values().any(|entry| any(entry, is)),
            _ => false,
        }
    }
    match parse(content) {
        Some(value) => any(&value, &|text| !text.is_empty() && folder.join(text).exists()),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_the_folder_is_found_in_every_form() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("inner.tar.gz"), "")?;
        std::fs::create_dir(folder.path().join("inner"))?;
        for (content, expected) in [
            ("- inner.tar.gz", true),
            ("- inner.tar.gz,,myrole", true),
            ("- ' inner.tar.gz , v1'", true),
            ("- {src: inner.tar.gz, name: x}", true),
            ("collections: []\ncollections:\n- {name: ./inner, type: dir}\n", true),
            ("- &a {src: ./inner}\n- *a\n", true),
            ("- [unbalanced", true),
            ("- {include: /etc/hosts}", true),
            ("- acme.nginx,v1", false),
            ("collections:\n- {name: acme.web, version: 1.2}\n", false),
            ("[]", false),
        ] {
            assert_eq!(
                may_name_a_file(content.as_bytes(), folder.path()),
                expected,
                "{content}"
            );
        }
        Ok(())
    }
}
