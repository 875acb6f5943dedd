//! The user that a job runs as, where that is not the service's.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use callboard_process::JobUser;
use serde_json::{Value, json};

use crate::environment::Environment;

/// A job's user, and what makes the user known to the job.
#[derive(Debug)]
pub(crate) struct Owner {
    user: JobUser,
    database: Option<PathBuf>,
}

impl Owner {
    /// Makes a user known to the job with this home; what that needs is written into a folder that only the service can use.
    pub(crate) fn new(user: JobUser, folder: &Path, home: &Path) -> io::Result<Self> {
        let database = user.database(folder, home)?;
        Ok(Self { user, database })
    }

    /// Returns the user.
    pub(crate) fn user(&self) -> &JobUser {
        &self.user
    }

    /// Returns the user in the words of `user.py`.
    pub(crate) fn told(&self) -> Value {
        told(&self.user, self.database.as_deref())
    }

    /// Returns the program, and its first arguments, that runs another one as this user.
    pub(crate) fn launcher(&self, environment: &Environment) -> Vec<OsString> {
        let program = environment.host.join("callboard_host/user.py");
        launcher(&environment.python, &[program.into()], &self.told())
    }
}

/// Returns the same for a Python that has no files of the service's, and for a user whom the user database need not know.
pub(crate) fn bare_launcher(python: &Path, user: &JobUser) -> Vec<OsString> {
    let program = include_str!("../host/callboard_host/user.py");
    launcher(python, &["-c".into(), program.into()], &told(user, None))
}

fn told(user: &JobUser, database: Option<&Path>) -> Value {
    let JobUser { name, uid, gid, .. } = user;
    json!({"name": name, "uid": uid, "gid": gid, "database": database})
}

fn launcher(python: &Path, program: &[OsString], user: &Value) -> Vec<OsString> {
    // without the packages of the environment and the variables of the program: it starts in a few milliseconds
    let python = [python.into(), "-I".into(), "-S".into()];
    let user = [user.to_string().into()];
    python.into_iter().chain(program.iter().cloned()).chain(user).collect()
}
