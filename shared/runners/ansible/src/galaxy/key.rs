//! The name of requirements in the cache: a hash of everything that decides what is installed for them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Requirements;
use crate::digest::digest;
use crate::task::Task;
use crate::unready::Unready;

const MAX_REQUIREMENTS_BYTES: u64 = 1 << 20;

/// Returns the name of the requirements in the cache; `None` if they do not fully determine what is installed.
pub(super) fn key(task: &Task<'_>, requirements: &Requirements<'_>) -> Result<Option<String>, Unready> {
    let environment = task.settings.environment.python.display().to_string();
    let mut parts = vec![
        task.job.tenant.as_str().as_bytes().to_vec(),
        requirements.identity.clone().into_bytes(),
        environment.into_bytes(),
        // these servers are used if none is named
        task.reach.policy.galaxy_servers().join(" ").into_bytes(),
    ];
    let configuration = requirements.folder.join("ansible.cfg");
    for file in requirements
        .files
        .iter()
        .chain(configuration.is_file().then_some(&configuration))
    {
        if fs::metadata(file)?.len() > MAX_REQUIREMENTS_BYTES {
            return Err(Unready::source(format!(
                "{} hold a file of more than {MAX_REQUIREMENTS_BYTES} bytes.",
                requirements.of
            )));
        }
        parts.push(fs::read(file)?);
    }
    if requirements
        .files
        .iter()
        .any(|file| names_a_file(file, &requirements.folder))
    {
        let Some(commit) = &requirements.commit else {
            return Ok(None);
        };
        parts.push(commit.clone().into_bytes());
    }
    let digest = digest(parts.iter().map(Vec::as_slice));
    Ok(Some(format!("requirements/{digest}.tar")))
}

/// Returns whether requirements name something in the folder that they are installed from: a collection, an archive, or
/// a file with more requirements.
fn names_a_file(requirements: &Path, folder: &Path) -> bool {
    fn any(value: &Value, is: &dyn Fn(&str) -> bool) -> bool {
        match value {
            Value::String(text) => is(text),
            Value::Array(items) => items.iter().any(|item| any(item, is)),
            Value::Object(entries) => entries.values().any(|entry| any(entry, is)),
            _ => false,
        }
    }
    let text = fs::read_to_string(requirements).unwrap_or_default();
    let value: Value = serde_saphyr::from_str(&text).unwrap_or_default();
    any(&value, &|text| !text.is_empty() && folder.join(text).exists())
}
