//! What the users of jobs can reach of what they need, found out by a process of such a user.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use callboard_process::JobUsers;
use serde::Deserialize;
use tokio::process::Command;

use crate::owner::bare_launcher;

const PROGRAM: &str = include_str!("../host/callboard_host/access.py");

/// Why jobs cannot run as their users, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum NoAccess {
    /// Ansible's Python does not start.
    #[error(
        "the user {user} of --job-user cannot run Ansible's Python {}: {why}. Name another folder with --cache, such as /var/cache/callboard, which every user may enter, as \
         all folders above it, and a Python with --python of which the same is true",
        .python.display()
    )]
    Python {
        /// The user's name.
        user: String,
        /// The Python.
        python: PathBuf,
        /// What it says.
        why: String,
    },
    /// The folder for running jobs cannot be passed through.
    #[error(
        "the user {user} of --job-user cannot enter the folder for running jobs {}; name another with --work, which every user may enter, as all folders above it",
        .work.display()
    )]
    Work {
        /// The user's name.
        user: String,
        /// The folder.
        work: PathBuf,
    },
    /// The playbooks folder cannot be read.
    #[error(
        "the user {user} of --job-user cannot read the playbooks folder {0}; name another with --playbooks, or let that user read it (chmod o+rx {0}), and enter all folders above it",
        .playbooks.display()
    )]
    Playbooks {
        /// The user's name.
        user: String,
        /// The folder.
        playbooks: PathBuf,
    },
}

#[derive(Deserialize)]
struct Answer {
    passes: bool,
    unreadable: Option<PathBuf>,
}

/// Looks whether jobs can run Ansible's Python as their users; returns the first thing in the playbooks folder that they cannot read.
///
/// # Errors
/// [`NoAccess`] says what they cannot reach.
pub async fn look(users: &JobUsers, python: &Path, work: &Path, playbooks: &Path) -> Result<Option<PathBuf>, NoAccess> {
    let example = users.example();
    let user = example.name.clone();
    let launcher = bare_launcher(python, &example);
    let asked = Command::new(&launcher[0])
        .args(&launcher[1..])
        .arg(python)
        .args(["-I", "-c", PROGRAM])
        .args([work, playbooks])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let answer = match asked {
        Ok(said) => serde_json::from_slice(&said.stdout).map_err(|_| last_line(&said.stderr)),
        Err(error) => Err(error.to_string()),
    };
    let python = python.to_owned();
    let Answer { passes, unreadable } = answer.map_err(|why| NoAccess::Python {
        user: user.clone(),
        python,
        why,
    })?;
    if !passes {
        let work = work.to_owned();
        return Err(NoAccess::Work { user, work });
    }
    if unreadable.as_deref() == Some(playbooks) {
        let playbooks = playbooks.to_owned();
        return Err(NoAccess::Playbooks { user, playbooks });
    }
    Ok(unreadable)
}

fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().last().unwrap_or("it prints nothing").to_owned()
}
