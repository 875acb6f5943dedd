//! The lengths of the paths of a job's sockets. A Unix socket's path has at most 107 bytes; a socket with a longer one is never made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use callboard_process::paths::MAX_SOCKET_BYTES;

/// The folders of a job that hold sockets.
pub(crate) const CONNECTIONS: &str = "cp";
pub(crate) const TEMPORARY: &str = "tmp";
pub(crate) const KEYS: &str = "k";
pub(crate) const FETCHED: &str = "fetch";

/// The longest path of each kind of socket below a job's folder, with `0` for each character that varies.
const LONGEST: [(&str, &str); 6] = [
    (
        "a connection of ssh's, which is made under a name with 17 more",
        "cp/0000000000.0000000000000000",
    ),
    ("a connection to a device, of ansible-connection", "cp/0000000000"),
    (
        "a listener of Python's multiprocessing",
        "tmp/pymp-00000000/listener-00000000",
    ),
    (
        "the agent that Ansible starts where SSH_AGENT is auto",
        "tmp/ansible-local-000000000000000/ssh_agent/agent.sock",
    ),
    ("the agent with the job's key", "k/a00000000"),
    ("the agent with git's key", "fetch/git-00000000/a00000000"),
];

/// Returns the length in bytes of the longest path of a socket below a job's folder.
#[must_use]
pub fn longest_socket() -> usize {
    LONGEST.iter().map(|(_, path)| path.len()).max().unwrap_or_default()
}

/// Sets short folders for the sockets of a job that has its caller's home, if the home's path is too long for them and neither
/// the caller's variables nor the caller's configuration name other folders.
pub(crate) fn shorten(env: &mut BTreeMap<String, String>, cwd: &Path, folder: &Path) {
    let home = env.get("HOME").map(PathBuf::from).unwrap_or_default();
    let ansible = env
        .get("ANSIBLE_HOME")
        .map_or_else(|| home.join(".ansible"), PathBuf::from);
    let defaults = [
        ("ANSIBLE_SSH_CONTROL_PATH_DIR", home.join(".ansible/cp"), LONGEST[0].1),
        ("ANSIBLE_PERSISTENT_CONTROL_PATH_DIR", ansible.join("pc"), LONGEST[1].1),
    ];
    for (variable, default, longest) in defaults {
        let socket = longest.rsplit('/').next().map_or(0, str::len);
        let bytes = real(&default).as_os_str().len() + 1 + socket;
        if bytes > MAX_SOCKET_BYTES && !env.contains_key(variable) && !is_configured(env, cwd, &home) {
            env.insert(variable.to_owned(), folder.display().to_string());
        }
    }
}

/// Returns a path with its links resolved; its last folders need not exist.
fn real(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

/// Returns whether the configuration that Ansible will find names folders or paths for sockets. The name of these settings
/// is the same in two sections.
fn is_configured(env: &BTreeMap<String, String>, cwd: &Path, home: &Path) -> bool {
    let given = env.get("ANSIBLE_CONFIG").map(|path| cwd.join(path));
    let given = given.map(|path| if path.is_dir() { path.join("ansible.cfg") } else { path });
    let others = [
        cwd.join("ansible.cfg"),
        home.join(".ansible.cfg"),
        "/etc/ansible/ansible.cfg".into(),
    ];
    let text = given
        .iter()
        .chain(&others)
        .find_map(|path| fs::read_to_string(path).ok());
    let named = |line: &str| line.trim_start().starts_with("control_path");
    text.is_some_and(|text| text.lines().any(named))
}

#[cfg(test)]
mod tests {
    use callboard_process::paths::{ID_DIGITS, MAX_ATTEMPT, MAX_PID, SHARED, max_parent_bytes};

    use super::*;

    #[test]
    fn the_longest_path_of_every_kind_of_socket_fits_for_every_user() {
        for (user, parent) in [(0, 27), (998, 25), (1000, 24), (65_534, 23), (u32::MAX - 1, 18)] {
            assert_eq!(max_parent_bytes(user, longest_socket()), parent, "{user}");
            let work = "w".repeat(parent);
            let longest = LONGEST.map(|(kind, below)| {
                let path = format!(
                    "{work}/{SHARED}{user}/{MAX_PID}/{:0>ID_DIGITS$}-{MAX_ATTEMPT}/{below}",
                    ""
                );
                assert!(path.len() <= MAX_SOCKET_BYTES, "{kind}: {path}");
                path.len()
            });
            assert_eq!(longest.into_iter().max(), Some(MAX_SOCKET_BYTES));
        }
    }

    #[test]
    fn a_caller_s_home_is_too_long_only_where_a_path_below_it_is() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (short, cwd) = (Path::new("/s"), folder.path().join("cwd"));
        let home = |bytes: usize| {
            folder
                .path()
                .join("h".repeat(bytes - folder.path().as_os_str().len() - 1))
        };
        let shortened = |home: &Path, more: &[(&str, &str)]| {
            let mut env = BTreeMap::from([("HOME".to_owned(), home.display().to_string())]);
            env.extend(
                more.iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
            );
            shorten(&mut env, &cwd, short);
            let is_short = |name| env.get(name).is_some_and(|value| value == "/s");
            (
                is_short("ANSIBLE_SSH_CONTROL_PATH_DIR"),
                is_short("ANSIBLE_PERSISTENT_CONTROL_PATH_DIR"),
            )
        };
        // /.ansible/cp/, ten digits, and 17 more
        assert_eq!(shortened(&home(107 - 13 - 27), &[]), (false, false));
        assert_eq!(shortened(&home(107 - 13 - 26), &[]), (true, false));
        assert_eq!(shortened(&home(107 - 13 - 9), &[]), (true, true));
        assert_eq!(
            shortened(
                &home(90),
                &[("ANSIBLE_HOME", "/a"), ("ANSIBLE_SSH_CONTROL_PATH_DIR", "/own")]
            ),
            (false, false)
        );
        fs::create_dir(&cwd)?;
        fs::write(cwd.join("ansible.cfg"), "[ssh_connection]\ncontrol_path_dir = /own\n")?;
        assert_eq!(shortened(&home(90), &[]), (false, false));
        Ok(())
    }
}
