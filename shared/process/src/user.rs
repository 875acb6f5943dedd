//! Users of this machine, as its user database knows them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The file of the users that the machine itself has.
pub(crate) const DATABASE: &str = "/etc/passwd";

/// A user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// The user's id.
    pub uid: u32,
    /// The id of the user's own group.
    pub gid: u32,
    /// The user's home.
    pub home: PathBuf,
}

impl User {
    /// Finds a user by name or id, also one that another machine keeps; `None` if there is none. It blocks.
    #[must_use]
    pub fn find(key: &str) -> Option<Self> {
        let is_meant = |user: &Self| user.name == key || user.uid.to_string() == key;
        if let Some(user) = Self::of_machine().into_iter().find(is_meant) {
            return Some(user);
        }
        let asked = Command::new("getent")
            .args(["passwd", "--", key])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        String::from_utf8_lossy(&asked.stdout).lines().find_map(Self::read)
    }

    /// Returns the users that the machine itself has.
    #[must_use]
    pub fn of_machine() -> Vec<Self> {
        let text = fs::read(DATABASE).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().filter_map(Self::read).collect()
    }

    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields[..] else {
            return None;
        };
        Some(Self {
            name: name.to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: home.into(),
        })
    }
}
