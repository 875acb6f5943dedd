//! The user that a job runs as, where that is not the service's.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use callboard_process::JobUser;
use callboard_process::program::Other;
use serde_json::{Value, json};

use crate::environment::Environment;

/// A job's user, and what makes the user known to the job.
#[derive(Debug)]
pub(crate) struct Owner {
    user: JobUser,
    told: Value,
    launcher: Vec<OsString>,
}

impl Owner {
    /// Makes a user known to the job with this home; what that needs is written into a folder that only the service can use.
    pub(crate) fn new(user: JobUser, environment: &Environment, folder: &Path, home: &Path) -> io::Result<Self> {
        let told = told(&user, user.database(folder, home)?.as_deref());
        let program = environment.host.join("callboard_host/user.py");
        Ok(Self {
            launcher: launcher(&environment.python, &[program.into()], &told),
            user,
            told,
        })
    }

    /// Returns the user.
    pub(crate) fn user(&self) -> &JobUser {
        &self.user
    }

    /// Returns the user in the words of `user.py`.
    pub(crate) fn told(&self) -> &Value {
        &self.told
    }

    /// Returns the program, and its first arguments, that runs another one as this user.
    pub(crate) fn launcher(&self) -> &[OsString] {
        &self.launcher
    }

    /// Returns what has a program run as this user, whose a folder is meanwhile.
    pub(crate) fn with<'a>(&'a self, own: &'a Path) -> Other<'a> {
        Other {
            user: &self.user,
            launcher: &self.launcher,
            own,
        }
    }
}

/// Returns the program, and its first arguments, that runs another one as a user of jobs, without files of the service's, and without making
/// the user known.
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
