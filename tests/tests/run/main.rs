//! `callboard run`: playbooks on the command line, as with `ansible-playbook`; and what asks about its jobs.

mod arguments;
mod codes;
mod ends;
mod environment;
mod help;
mod playbooks;
mod records;
mod refused;
mod shown;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use callboard_tests::{Finished, callboard};
use tempfile::TempDir;

/// A folder to run in, and the data folder of every run in it.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    pub(crate) data: TempDir,
}

impl Desk {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (folder, data) = (tempfile::tempdir()?, tempfile::tempdir()?);
        Ok(Self { folder, data })
    }

    /// Puts a file into the folder.
    pub(crate) fn write(&self, name: &str, content: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join(name);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(&path, content)?;
        Ok(path)
    }

    /// Calls `callboard run` and waits for its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> anyhow::Result<Finished> {
        self.call(&[&["run"], arguments].concat())
    }

    /// Calls any verb and waits for its end.
    pub(crate) fn call(&self, arguments: &[&str]) -> anyhow::Result<Finished> {
        let mut command = callboard(self.data.path())?;
        command.args(arguments).current_dir(self.folder.path());
        Ok(command.stdin(Stdio::null()).output()?.into())
    }
}

/// A playbook that says something.
pub(crate) fn say(what: &str) -> String {
    format!("- {{hosts: all, gather_facts: false, tasks: [debug: {{msg: {what}}}]}}")
}

/// Names a playbook of the tests.
pub(crate) fn playbook(name: &str) -> String {
    path(name).display().to_string()
}

fn path(name: &str) -> PathBuf {
    Path::new(&callboard_tests::playbooks()).join(name)
}
