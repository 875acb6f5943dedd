//! What keeps a job from the service and from other jobs.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use callboard_kind_ansible::failures::HostFailure;
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
        "jobs run as root, and root's playbooks need what isolation would take from them; run the service as another user"
    )]
    Root,
    /// There is no Landlock.
    #[error("the kernel has no Landlock (Linux 5.19 or later, `landlock` among the modules of the boot option `lsm`)")]
    Landlock,
    /// Landlock does not know signals.
    #[error("the kernel's Landlock does not keep signals from other processes (Linux 6.12 or later)")]
    Signals,
}

/// How jobs are isolated on this machine.
#[derive(Clone, Debug)]
pub struct Isolation {
    surroundings: Surroundings,
    landlock: i32,
    no_new_privileges: bool,
}

impl Isolation {
    /// Finds out what the system can do to keep jobs from the surroundings. Where it is `required`, root is isolated as well, and
    /// what the system can do must include signals.
    ///
    /// # Errors
    /// [`Unisolated`] says why nothing is done.
    pub fn find(surroundings: Surroundings, required: bool) -> Result<Self, Unisolated> {
        if geteuid().is_root() && !required {
            return Err(Unisolated::Root);
        }
        let landlock = landlock_version().ok_or(Unisolated::Landlock)?;
        if landlock < SIGNALS && required {
            return Err(Unisolated::Signals);
        }
        let may_administer = capabilities(None).is_ok_and(|own| own.effective.contains(CapabilitySet::SYS_ADMIN));
        Ok(Self {
            surroundings,
            landlock,
            // the kernel asks for it, unless whoever may do everything restricts himself
            no_new_privileges: !may_administer,
        })
    }

    /// Returns by what jobs are isolated, as their records tell it.
    #[must_use]
    pub fn means(&self) -> Vec<String> {
        let privileges = self.no_new_privileges.then(|| "no_new_privileges".to_owned());
        [format!("landlock_{}", self.landlock), "rlimits".to_owned()]
            .into_iter()
            .chain(privileges)
            .collect()
    }

    /// Makes the rules of a job with this folder.
    pub(crate) fn rules(&self, folder: &Path) -> io::Result<OwnedFd> {
        self.surroundings.rules(folder)
    }

    /// Adds the reason to failures that come of the isolation, as far as they can be told from others.
    pub(crate) fn explain(&self, failures: &mut [HostFailure]) {
        let is_refused = |text: Option<&String>| text.is_some_and(|text| text.contains(REFUSED));
        for failure in failures.iter_mut().filter(|_| self.no_new_privileges) {
            if is_refused(Some(&failure.message)) || is_refused(failure.stderr.as_ref()) {
                failure.message = format!("{}. {WHY}", failure.message.trim_end().trim_end_matches('.'));
            }
        }
    }

    /// Whether a job's programs must not get more privileges than it has.
    pub(crate) fn no_new_privileges(&self) -> bool {
        self.no_new_privileges
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
            surroundings: Surroundings::default(),
            landlock: 7,
            no_new_privileges: true,
        };
        isolation.explain(&mut failures);
        let [told, other] = failures.map(|failure| failure.message);
        assert!(told.starts_with("sudo: The") && told.ends_with(WHY), "{told}");
        assert_eq!(other, "sudo: a password is required");
    }
}
