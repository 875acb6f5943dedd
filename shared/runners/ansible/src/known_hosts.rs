//! The host keys that a job's ssh knows: those of the policy, the credential and earlier jobs, in addition to those of the
//! service's user and the machine.
//!
//! The job's ssh, scp and sftp are scripts that come before the real programs on its `PATH` and pass them a configuration. It
//! begins with the configurations of the user and the machine, and ssh uses the first value that it finds: whatever the
//! inventory, `ansible.cfg` or those two say takes precedence over our settings at its end.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use callboard_kind_ansible::policy::HostKeyChecking;
use callboard_process::User;
use callboard_process::files::{write_private, write_script};
use callboard_process::folders::make_private;

use crate::accepted::Accepted;
use crate::blocking::on_a_thread;
use crate::settings::Home;
use crate::task::Task;
use crate::unready::Unready;

/// The names of the files that hold a job's host keys, by where the keys come from.
pub(crate) const POLICY: &str = "policy";
pub(crate) const CREDENTIAL: &str = "credential";
pub(crate) const ACCEPTED: &str = "accepted";
const PROGRAMS: [&str; 3] = ["ssh", "scp", "sftp"];
/// Where the machine's configuration may be; the first file that exists is used.
const OF_THE_MACHINE: [&str; 2] = ["/etc/ssh/ssh_config", "/usr/etc/ssh/ssh_config"];
const USERS_FILES: &str = "~/.ssh/known_hosts ~/.ssh/known_hosts2";
const MACHINES_FILES: &str = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2";

impl Task<'_> {
    /// Makes the given host keys known to the job's ssh, and returns what keeps track of the keys that it accepts. A job of
    /// `callboard run` uses its caller's ssh.
    pub(crate) async fn know_hosts(&self, env: &mut BTreeMap<String, String>) -> Result<Option<Accepted>, Unready> {
        if self.settings.home == Home::Callers {
            return Ok(None);
        }
        let folder = self.workspace.ssh();
        make_private(&folder)?;
        let policy = &self.reach.policy;
        let given = [
            (CREDENTIAL, self.keys.known_hosts()),
            (POLICY, policy.known_hosts.as_deref()),
        ];
        let mut files = Vec::new();
        for (name, lines) in given {
            if let Some(lines) = lines {
                write_private(&folder.join(name), format!("{lines}\n").as_bytes())?;
                files.push(folder.join(name));
            }
        }
        let accepted = match policy.host_key_checking {
            HostKeyChecking::Strict => None,
            HostKeyChecking::AcceptNew => {
                let given: Vec<&str> = given.iter().filter_map(|(_, lines)| *lines).collect();
                Some(Accepted::start(self, folder.join(ACCEPTED), &given).await?)
            }
        };
        let home = match self.workspace.owner() {
            Some(owner) => owner.user().home.clone(),
            None => on_a_thread(|_| Ok(home())).await?,
        };
        let read: Vec<String> = of_the_user(home).into_iter().chain(of_the_machine()).collect();
        let configuration = configuration(&read, &files, accepted.as_ref().map(Accepted::file));
        let path = folder.join("config");
        write_private(&path, configuration.as_bytes())?;
        put_first(&path, &self.workspace.programs()?, env)?;
        Ok(accepted)
    }
}

/// Returns the home in the user database: ssh looks there, whatever `HOME` is.
fn home() -> Option<PathBuf> {
    let user = rustix::process::getuid().as_raw().to_string();
    User::find(&user).map(|user| user.home)
}

/// Returns the line that makes ssh read the user's configuration, if there is one. A `~` would mean the job's home here.
fn of_the_user(home: Option<PathBuf>) -> Option<String> {
    let path = home?.join(".ssh/config");
    Some(format!("Include {}", quoted(&path)))
}

/// Returns the machine's configuration, which is copied, not included, because ssh checks the owner of included files.
fn of_the_machine() -> Option<String> {
    OF_THE_MACHINE.iter().find_map(|path| fs::read_to_string(path).ok())
}

/// Returns ssh's configuration: first what ssh would read anyway, then our settings.
fn configuration(read: &[String], given: &[PathBuf], accepted: Option<&Path>) -> String {
    let given: String = given.iter().map(|file| format!(" {}", quoted(file))).collect();
    let mut ours = String::new();
    match accepted {
        // ssh writes the keys that it accepts into the first file
        Some(file) => {
            let files = format!("{} {USERS_FILES}{given}", quoted(file));
            ours.push_str(&format!(
                "CheckHostIP no\nUserKnownHostsFile {files}\nStrictHostKeyChecking accept-new\n"
            ));
        }
        None if given.is_empty() => ours.push_str("StrictHostKeyChecking yes\n"),
        None => ours.push_str(&format!(
            "UserKnownHostsFile {USERS_FILES}{given}\nStrictHostKeyChecking yes\n"
        )),
    }
    if !given.is_empty() {
        ours.push_str(&format!("GlobalKnownHostsFile {MACHINES_FILES}{given}\n"));
    }
    // a hashed name could neither be listed nor forgotten
    let first = accepted.map_or("", |_| "HashKnownHosts no\n");
    let read: String = read.iter().map(|text| format!("{text}\nMatch all\n")).collect();
    format!("{first}{read}{ours}")
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

/// Puts scripts that pass a configuration before the programs on the job's `PATH`.
fn put_first(configuration: &Path, folder: &Path, env: &mut BTreeMap<String, String>) -> io::Result<()> {
    let Some(path) = env.get_mut("PATH") else {
        return Ok(());
    };
    for name in PROGRAMS {
        if let Some(program) = find(path, name) {
            let (program, configuration) = (in_shell(&program), in_shell(configuration));
            write_script(&folder.join(name), &format!("exec {program} -F {configuration} \"$@\""))?;
        }
    }
    *path = format!("{}:{path}", folder.display());
    Ok(())
}

fn find(path: &str, name: &str) -> Option<PathBuf> {
    let mut places = std::env::split_paths(path).map(|folder| folder.join(name));
    let runs = |place: &PathBuf| {
        fs::metadata(place).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    places.find(runs)
}

fn in_shell(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_and_the_machine_say_comes_before_what_the_policy_says() {
        let given = [PathBuf::from("/tmp/a b/100%/policy")];
        let read = ["Include \"/home/a/.ssh/config\"", "Host *\n  SendEnv LANG"].map(str::to_owned);
        let text = configuration(&read, &given, None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "Include \"/home/a/.ssh/config\"",
                "Match all",
                "Host *",
                "  SendEnv LANG",
                "Match all",
                "UserKnownHostsFile ~/.ssh/known_hosts ~/.ssh/known_hosts2 \"/tmp/a b/100%%/policy\"",
                "StrictHostKeyChecking yes",
                "GlobalKnownHostsFile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2 \"/tmp/a b/100%%/policy\"",
            ]
        );
        assert_eq!(configuration(&[], &[], None), "StrictHostKeyChecking yes\n");
    }

    #[test]
    fn accepted_keys_go_into_a_file_of_the_job_s() {
        let text = configuration(&[], &[], Some(Path::new("/w/accepted")));
        assert!(text.starts_with("HashKnownHosts no\n"), "{text}");
        assert!(
            text.contains("UserKnownHostsFile \"/w/accepted\" ~/.ssh/known_hosts"),
            "{text}"
        );
        assert!(text.ends_with("StrictHostKeyChecking accept-new\n"), "{text}");
    }
}
