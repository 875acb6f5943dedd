//! Collections: what the `galaxy.yml` of a repository says, and where installed collections are.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;

use crate::unready::Unready;

/// The maximum size of a `galaxy.yml`, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What a repository that is a collection says about itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) namespace: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) dependencies: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// Reads the `galaxy.yml` of a folder, if it has one.
    pub(crate) fn read(folder: &Path, repo: &str) -> Result<Option<Self>, Unready> {
        let Some(file) = crate::archive::inside(folder, "galaxy.yml") else {
            return Ok(None);
        };
        let wrong = |error: String| Unready::source(format!("The galaxy.yml of {repo} cannot be read: {error}."));
        if fs::metadata(&file).is_ok_and(|found| found.len() > MAX_BYTES) {
            return Err(wrong(format!("it has more than {MAX_BYTES} bytes")));
        }
        let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let manifest: Self = serde_saphyr::from_str(&text).map_err(|error| wrong(first_line(&error.to_string())))?;
        if ![&manifest.namespace, &manifest.name]
            .into_iter()
            .all(|name| is_identifier(name))
        {
            return Err(wrong("namespace and name must be identifiers".to_owned()));
        }
        Ok(Some(manifest))
    }

    /// Returns the collection's full name.
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", self.namespace, self.name)
    }

    /// Writes the collection's dependencies to a requirements file; returns `None` if it has none.
    pub(crate) fn requirements(&self, scratch: &Path) -> Result<Option<PathBuf>, Unready> {
        let dependencies = self.dependencies.iter().flatten();
        let collections: Vec<_> = dependencies
            .map(|(name, version)| json!({"name": name, "version": version}))
            .collect();
        if collections.is_empty() {
            return Ok(None);
        }
        write_requirements(&json!({ "collections": collections }), scratch).map(Some)
    }

    /// Makes a folder of collections that links to this one, and returns that folder.
    pub(crate) fn link(&self, folder: &Path, scratch: &Path) -> Result<PathBuf, Unready> {
        let collections = scratch.join("collections");
        let namespace = collections.join("ansible_collections").join(&self.namespace);
        fs::create_dir_all(&namespace)?;
        symlink(folder, namespace.join(&self.name))?;
        Ok(collections)
    }
}

/// Writes a requirements file for ansible-galaxy.
pub(crate) fn write_requirements(requirements: &serde_json::Value, scratch: &Path) -> Result<PathBuf, Unready> {
    let path = scratch.join(format!("requirements-{}.yml", uuid::Uuid::new_v4().simple()));
    callboard_process::files::write_shared(&path, requirements.to_string().as_bytes())?;
    Ok(path)
}

/// Returns the names of the roles of a collection or of a folder of roles, sorted.
pub(crate) fn roles(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("roles")).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Returns whether a folder holds a role, that is, any of the parts that Ansible knows.
pub(crate) fn is_role(folder: &Path) -> bool {
    ["tasks", "handlers", "defaults", "vars", "meta"]
        .iter()
        .any(|part| folder.join(part).is_dir())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
