//! The folder of a running Ansible job: its home, its temporary files, and the files that it is given to read.

use std::fs::{Permissions, set_permissions};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use callboard_process::folders::make_private;
use callboard_process::{JobFolder, JobUser};

use crate::environment::Environment;
use crate::owner::Owner;
use crate::sockets;

/// The folder of one job, and the job's user, unless that is the service's.
#[derive(Debug)]
pub(crate) struct Workspace {
    folder: JobFolder,
    owner: Option<Owner>,
}

impl Deref for Workspace {
    type Target = JobFolder;

    fn deref(&self) -> &JobFolder {
        &self.folder
    }
}

impl Workspace {
    /// Makes a job's home, and its folder for temporary files. What makes the job's user known is written into `host`, a folder that only the
    /// service can use.
    pub(crate) fn furnish(
        folder: JobFolder,
        user: Option<JobUser>,
        environment: &Environment,
        host: &Path,
    ) -> io::Result<Self> {
        let home = folder.folder("home")?;
        folder.folder(sockets::TEMPORARY)?;
        let owner = user
            .map(|user| Owner::new(user, environment, host, &home))
            .transpose()?;
        let workspace = Self { folder, owner };
        workspace.let_owner_through(workspace.path())?;
        Ok(workspace)
    }

    fn let_owner_through(&self, folder: &Path) -> io::Result<()> {
        self.owner
            .as_ref()
            .map_or(Ok(()), |owner| owner.user().let_through(folder))
    }

    /// Returns the job's user, unless that is the service's.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// Gives the home to the job's user: what fetches for the job uses it as well.
    pub(crate) async fn move_in(&self) -> io::Result<()> {
        match &self.owner {
            Some(owner) => owner.user().give(&self.home()).await,
            None => Ok(()),
        }
    }

    /// Gives everything to the job's user. Until then, the user has only the home, and what programs of the job's use while they run; from then on, the
    /// service trusts no path in it.
    pub(crate) async fn hand_over(&self) -> io::Result<()> {
        let Some(owner) = &self.owner else { return Ok(()) };
        set_permissions(self.path(), Permissions::from_mode(0o700))?;
        owner.user().give(self.path()).await
    }

    /// Ends what the job's user has left, and removes the folder with everything in it.
    pub(crate) async fn clear(self) -> io::Result<()> {
        if let Some(owner) = &self.owner {
            owner.user().end_processes().await;
        }
        self.folder.remove().await
    }

    /// Makes a folder for fetched files; it lasts as long as the job.
    pub(crate) fn scratch(&self) -> io::Result<PathBuf> {
        let scratch = self.folder(sockets::FETCHED)?;
        self.let_owner_through(&scratch)?;
        Ok(scratch)
    }

    /// Makes a folder for programs that take precedence over others of the same name.
    pub(crate) fn programs(&self) -> io::Result<PathBuf> {
        self.folder("bin")
    }

    /// Returns the folder of the files that the job's ssh reads.
    pub(crate) fn ssh(&self) -> PathBuf {
        self.path().join("ssh")
    }

    /// Makes the folder of the job's secrets; its name is short, because a socket is in it.
    pub(crate) fn keys(&self) -> io::Result<PathBuf> {
        self.folder(sockets::KEYS)
    }

    /// Returns the job's home, unless it has its caller's.
    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// Returns the job's folder for temporary files.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.path().join(sockets::TEMPORARY)
    }

    /// Returns the folder of the sockets of connections that stay open: ssh's, and Ansible's to devices.
    pub(crate) fn sockets(&self) -> PathBuf {
        self.path().join(sockets::CONNECTIONS)
    }

    /// Links the folders in the job's home where Ansible puts its sockets, unless its configuration names others, to a folder
    /// with a shorter path.
    pub(crate) fn link_sockets(&self) -> io::Result<()> {
        let ours = self.home().join(".ansible");
        make_private(&ours)?;
        for name in ["cp", "pc"] {
            symlink(self.sockets(), ours.join(name))?;
        }
        Ok(())
    }

    /// Links what the real home holds for Ansible into the job's home: collections, roles, plugins, configuration.
    pub(crate) fn link_ansible_home(&self, real: &Path) -> io::Result<()> {
        let ours = self.home();
        make_private(&ours.join(".ansible"))?;
        for name in [
            ".ansible.cfg",
            ".ansible/collections",
            ".ansible/roles",
            ".ansible/plugins",
        ] {
            let target = real.join(name);
            if target.exists() {
                symlink(target, ours.join(name))?;
            }
        }
        Ok(())
    }
}
