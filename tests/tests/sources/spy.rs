//! Programs that stand before the real ones, write down how they are called, and then are the real ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use tempfile::TempDir;

/// A folder of such programs.
pub(crate) struct Spy {
    folder: TempDir,
}

impl Spy {
    /// Makes a program for each name.
    pub(crate) fn new(names: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("calls"))?;
        for name in names {
            let real = find(name)?;
            let calls = folder.path().join("calls");
            let text = format!(
                "#!/bin/sh\n{{ printf '%s\\n' \"$0\" \"$@\"; env; }} > '{}'/$$\nexec '{}' \"$@\"\n",
                calls.display(),
                real.display()
            );
            let path = folder.path().join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { folder })
    }

    /// Has a program find these first.
    pub(crate) fn watch(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.folder.path().display()));
    }

    /// Returns the arguments and variables of every call.
    pub(crate) fn calls(&self) -> anyhow::Result<String> {
        let mut calls = String::new();
        for entry in fs::read_dir(self.folder.path().join("calls"))? {
            calls += &fs::read_to_string(entry?.path())?;
        }
        Ok(calls)
    }
}

fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.with_context(|| format!("`{name}` is not on PATH"))
}
