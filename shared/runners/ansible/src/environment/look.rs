//! Looks at the environment without making it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::EnvironmentError;
use super::make::{interpreter, is_complete};
use crate::python::{self, Python};

/// Prints the versions of Python and of ansible-core.
const VERSIONS: &str = "import platform, ansible_runner; from ansible.release import __version__; \
                        print(platform.python_version(), __version__)";
/// The time limit, which is far more than the imports take.
const LIMIT: Duration = Duration::from_secs(60);

/// What a look at the environment finds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Look {
    /// It exists, and Python and Ansible start.
    Ready {
        /// Its folder.
        folder: PathBuf,
        /// The version of Python.
        python: String,
        /// The version of ansible-core.
        ansible: String,
    },
    /// It does not exist, is incomplete, or has lost its Python; it would be made with this one.
    Absent {
        /// Its folder.
        folder: PathBuf,
        /// The Python to make it with.
        python: Python,
    },
    /// It exists but does not start.
    Broken {
        /// Its folder.
        folder: PathBuf,
        /// What it printed, or why it gave no answer.
        output: String,
    },
}

/// Looks at the environment of a folder.
pub(super) async fn at(folder: PathBuf, named: Option<&Path>) -> Result<Look, EnvironmentError> {
    if !is_complete(&folder) {
        let python = python::find(named).await?;
        return Ok(Look::Absent { folder, python });
    }
    let output = match python::ask(&interpreter(&folder), VERSIONS, LIMIT).await {
        Err(fault) => fault,
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            if let (true, Some((python, ansible))) = (output.status.success(), text.trim().split_once(' ')) {
                let (python, ansible) = (python.to_owned(), ansible.to_owned());
                return Ok(Look::Ready {
                    folder,
                    python,
                    ansible,
                });
            }
            let last = String::from_utf8_lossy(&output.stderr);
            last.trim_end()
                .lines()
                .next_back()
                .unwrap_or("it said nothing")
                .to_owned()
        }
    };
    Ok(Look::Broken { folder, output })
}
