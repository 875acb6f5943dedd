//! The `callboard` program and the functions, as they were built next to the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::Context;
pub use callboard_testkit::folders::cache;

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// What it printed on standard output.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Returns the path of a program, such as `callboard`.
///
/// # Errors
/// The program was not built; `make test` builds it first.
pub fn path(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let found = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.with_context(|| format!("no program `{name}` beside {}: build it first", test.display()))
}

/// Has a wrapper, such as `setpriv`, run a command: its program and arguments follow those of the wrapper.
#[must_use]
pub fn wrap(mut wrapper: Command, inner: &Command) -> Command {
    wrapper.arg(inner.get_program()).args(inner.get_args());
    inherit(&mut wrapper, inner);
    wrapper
}

/// Gives a command the variables that another sets and removes.
pub fn inherit(command: &mut Command, from: &Command) {
    for (name, value) in from.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// Nobody on this machine.
const NOBODY: &str = "61337";

/// Has a command run as a user who is not root, and who may read all the same what root has built; for another user, nothing changes.
#[must_use]
pub fn as_nobody(command: Command) -> Command {
    if !rustix::process::geteuid().is_root() {
        return command;
    }
    let mut wrapped = Command::new("setpriv");
    wrapped.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
    wrapped.args([
        "--clear-groups",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=-all,+dac_override",
        "--bounding-set=-all,+dac_override",
        "--",
    ]);
    wrap(wrapped, &command)
}

/// Puts what is in a home into one that everybody may enter.
const OPEN_HOME: &str = r#"kept=$(mktemp -d) && mount --bind "$0" "$kept" && mount -t tmpfs -o mode=755 tmpfs "$0" || exit
for inner in "$kept"/* "$kept"/.[!.]*; do
    [ -d "$inner" ] || continue
    mkdir "$0/${inner##*/}" && mount --bind "$inner" "$0/${inner##*/}" || exit
done
exec "$@""#;

/// Has root's command see its home as one that everybody may enter, in a namespace of its own: Ansible's Python is there, where tests run.
///
/// # Errors
/// There is no home.
pub fn in_open_home(command: &Command) -> anyhow::Result<Command> {
    let home = std::env::home_dir().context("a home")?;
    let mut wrapper = Command::new("unshare");
    wrapper.args(["--mount", "sh", "-c", OPEN_HOME]).arg(home);
    Ok(wrap(wrapper, command))
}

/// Prepares a call of the program with its own data and work folders.
///
/// # Errors
/// The program was not built.
pub fn callboard(data: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(path("callboard")?);
    command.env("CALLBOARD_DATA", data).env("CALLBOARD_GRACE", "2");
    Ok(command)
}
