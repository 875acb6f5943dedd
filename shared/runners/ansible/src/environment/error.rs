//! Why there is no environment.

use std::io;
use std::path::PathBuf;

use crate::python::NoPython;

/// Why there is no environment. Each text says what failed and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// No suitable Python was found.
    #[error(transparent)]
    NoPython(#[from] NoPython),
    /// The cache cannot be written.
    #[error(
        "the cache folder {} cannot be written; choose another one with --cache or CALLBOARD_CACHE",
        folder.display()
    )]
    Cache {
        /// The cache folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// `python -m venv` failed.
    #[error(
        "{} could not make a virtual environment in {}; it said:\n{output}\nInstall its venv module (on Debian and \
         Ubuntu: apt install python3-venv), or name another Python with --python or CALLBOARD_PYTHON.",
        python.display(), folder.display()
    )]
    Venv {
        /// The Python that should have made it.
        python: PathBuf,
        /// The folder that should have held it.
        folder: PathBuf,
        /// The last lines of its output.
        output: String,
    },
    /// `pip install` failed.
    #[error(
        "pip could not install Ansible; it ended with:\n{output}\nCheck the network, the proxy (HTTPS_PROXY) and the \
         package index (PIP_INDEX_URL, PIP_CERT), then try again. To see all that pip says:\n  {command}"
    )]
    Pip {
        /// The command that repeats the installation.
        command: String,
        /// The last lines of its output.
        output: String,
    },
    /// Everything was installed, but it does not work.
    #[error(
        "the Ansible environment in {} was made but does not work; it said:\n{output}\nTry again, or name another \
         Python with --python or CALLBOARD_PYTHON.",
        folder.display()
    )]
    Broken {
        /// The environment's folder.
        folder: PathBuf,
        /// The last lines of its output.
        output: String,
    },
}
