//! What keeps a job from the service and from other jobs.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use callboard_kind_ansible::failures::HostFailure;
use callboard_process::JobUsers;
use callboard_sandbox::{Surroundings, landlock_version};
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities};

/// The first version of Landlock that keeps signals from other processes.
const SIGNALS: i32 = 6;

/// What sudo says where it gets no privileges.
const REFUSED: &str = "no new privileges";
/// Why it gets none, and what to do.
const WHY: &str = "Jobs of this service are isolated, so they cannot become another user on the machine that runs them, only on others. \
                   Whoever operates the service can change that with --isolation off";

/// Why jobs are not isolated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unisolated {
    /// Whoever is root gets around what the kernel can do, and needs what it takes away.
    #[error(
        "jobs run as root, and root's playbooks need what isolation would take from them; have jobs run as other users (--job-user), or run the service as another user"
    )]
    Root,
    /// There is no Landlock.
    #[error("the kernel has no Landlock (Linux 5.19 or later, `landlock` among the modules of the boot option `lsm`)")]
    Landlock,
    /// Landlock does not know signals.
    #[error("the kernel's Landlock does not keep signals from other processes (Linux 6.12 or later)")]
    Signals,
}

/// How jobs are isolated on this machine: by their users, by Landlock, or by both.
#[derive(Clone, Debug, Default)]
pub struct Isolation {
    users: Option<JobUsers>,
    landlock: Option<Landlock>,
}

#[derive(Clone, Debug)]
struct Landlock {
    surroundings: Surroundings,
    version: i32,
    no_new_privileges: bool,
}

impl Isolation {
    /// Has jobs run as these users, if there are any.
    #[must_use]
    pub fn by(users: Option<JobUsers>) -> Self {
        Self { users, landlock: None }
    }

    /// Finds out what the system can do, besides, to keep jobs from the surroundings. Where it is `required`, jobs that run as root are isolated
    /// as well, and what the system can do must include signals.
    ///
    /// # Errors
    /// [`Unisolated`] says why nothing is done.
    pub fn find(self, surroundings: Surroundings, required: bool) -> Result<Self, Unisolated> {
        if geteuid().is_root() && self.users.is_none() && !required {
            return Err(Unisolated::Root);
        }
        let version = landlock_version().ok_or(Unisolated::Landlock)?;
        if version < SIGNALS && required {
            return Err(Unisolated::Signals);
        }
        let may_administer = capabilities(None).is_ok_and(|own| own.effective.contains(CapabilitySet::SYS_ADMIN));
        let landlock = Landlock {
            surroundings,
            version,
            // the kernel asks for it, unless whoever may do everything restricts himself, as a job does before it is another user's
            no_new_privileges: !may_administer,
        };
        Ok(Self {
            landlock: Some(landlock),
            ..self
        })
    }

    /// Returns by what jobs are isolated, as their records tell it.
    #[must_use]
    pub fn means(&self) -> Vec<String> {
        let users = self.users.iter().map(|users| users.means().to_owned());
        let landlock = self.landlock.iter().flat_map(|landlock| {
            let privileges = landlock.no_new_privileges.then(|| "no_new_privileges".to_owned());
            [format!("landlock_{}", landlock.version), "rlimits".to_owned()]
                .into_iter()
                .chain(privileges)
        });
        users.chain(landlock).collect()
    }

    /// Returns the users that jobs run as, unless they run as the service's.
    pub(crate) fn users(&self) -> Option<&JobUsers> {
        self.users.as_ref()
    }

    /// Makes the rules of a job with this folder, if Landlock binds jobs.
    pub(crate) fn rules(&self, folder: &Path) -> Option<io::Result<OwnedFd>> {
        self.landlock
            .as_ref()
            .map(|landlock| landlock.surroundings.rules(folder))
    }

    /// Adds the reason to failures that come of the isolation, as far as they can be told from others.
    pub(crate) fn explain(&self, failures: &mut [HostFailure]) {
        let is_refused = |text: Option<&String>| text.is_some_and(|text| text.contains(REFUSED));
        for failure in failures.iter_mut().filter(|_| self.no_new_privileges()) {
            if is_refused(Some(&failure.message)) || is_refused(failure.stderr.as_ref()) {
                failure.message = format!("{}. {WHY}", failure.message.trim_end().trim_end_matches('.'));
            }
        }
    }

    /// Whether a job's programs must not get more privileges than it has.
    pub(crate) fn no_new_privileges(&self) -> bool {
        self.landlock
            .as_ref()
            .is_some_and(|landlock| landlock.no_new_privileges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_could_not_become_root_says_why_and_no_other_does() {
        let failed = |message: &str| HostFailure {
            message: message.to_owned(),
            ..HostFailure::default()
        };
        let sudo = "sudo: The \"no new privileges\" flag is set, which prevents sudo from running as root.";
        let mut failures = [failed(sudo), failed("sudo: a password is required")];
        let isolation = Isolation {
            users: None,
            landlock: Some(Landlock {
                surroundings: Surroundings::default(),
                version: 7,
                no_new_privileges: true,
            }),
        };
        isolation.explain(&mut failures);
        let [told, other] = failures.map(|failure| failure.message);
        assert!(told.starts_with("sudo: The") && told.ends_with(WHY), "{told}");
        assert_eq!(other, "sudo: a password is required");
    }
}
