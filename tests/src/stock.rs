//! The stock `ansible-playbook` from the environment that a service uses, for comparison.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::processes::descendants;
use crate::service::Service;

/// The programs of an Ansible environment.
#[derive(Clone, Debug)]
pub struct Stock {
    folder: PathBuf,
}

/// How an Ansible program ended, and what it printed on both streams, in order.
#[derive(Debug)]
pub struct Printed {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// The output.
    pub output: Vec<u8>,
}

impl Stock {
    /// Finds the environment of a running service.
    ///
    /// # Errors
    /// The service's Ansible host is not running.
    pub fn of(service: &Service) -> anyhow::Result<Self> {
        let children = descendants(service.pid());
        let folders = children.iter().filter_map(|child| {
            let line = fs::read(format!("/proc/{}/cmdline", child.pid)).ok()?;
            let program = String::from_utf8_lossy(&line).split('\0').next().map(PathBuf::from)?;
            program.parent().map(Path::to_owned)
        });
        let mut found = folders.filter(|folder| folder.join("ansible-playbook").is_file());
        let folder = found.next().context("the service has no Ansible host")?;
        Ok(Self { folder })
    }

    /// Prepares a call of one of the environment's programs, such as `ansible-vault`.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        Command::new(self.folder.join(name))
    }

    /// Runs a playbook from its own folder and with colours.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn play(&self, playbook: &Path, arguments: &[String]) -> anyhow::Result<Printed> {
        let (mut reader, writer) = std::io::pipe()?;
        // By default, one side would use the home folder from the user database and the other one `HOME`.
        let async_dir = tempfile::tempdir()?;
        let mut command = self.program("ansible-playbook");
        command
            .current_dir(playbook.parent().context("a playbook is in a folder")?)
            .args(arguments)
            .arg(playbook)
            .env("ANSIBLE_FORCE_COLOR", "1")
            // otherwise standard output is buffered in blocks, which come after what is printed to standard error in the meantime
            .env("PYTHONUNBUFFERED", "1")
            .env("ANSIBLE_ASYNC_DIR", async_dir.path())
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut child = command.spawn()?;
        drop(command);
        let mut output = Vec::new();
        reader.read_to_end(&mut output)?;
        let code = child.wait()?.code().unwrap_or(-1);
        Ok(Printed { code, output })
    }
}
