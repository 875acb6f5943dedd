//! The folder of a running job: its home, its temporary files, what it is given to read. Removed when it ends.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

use callboard_core::base::causes::causes;
use callboard_core::base::id::JobId;

use crate::files::write_private;
use crate::folders::{abandoned, keep_only, make_private};
use crate::trash::Trash;
use crate::{processes, sockets};

/// How long cleaning may take.
const CLEAN_LIMIT: Duration = Duration::from_secs(30);
/// How long the host of a service that has died has for ending and removing what that has left.
const HOSTS_TIME: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// Where the folders of this process's jobs are. Removed, with all of them, when dropped.
#[derive(Debug)]
pub(crate) struct WorkRoot {
    path: PathBuf,
    trash: Arc<Trash>,
}

impl WorkRoot {
    /// Makes a folder for this process below `parent`, and removes those of processes that are gone.
    ///
    /// The path is kept short: Ansible and ssh put sockets below it, and a socket's path has at most 107 bytes.
    pub(crate) fn create(parent: &Path) -> io::Result<Self> {
        let user = rustix::process::getuid().as_raw();
        // sockets are known by the path that has no link in it
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", parent.display()));
        let parent = parent.canonicalize().map_err(named)?;
        let limit = sockets::max_parent_bytes(user);
        if parent.as_os_str().len() > limit {
            let message = format!(
                "{} is longer than {limit} bytes, the limit for user {user}: sockets of ssh and Ansible are below it; choose a \
                 shorter one with --work",
                parent.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let shared = parent.join(format!("{}{user}", sockets::SHARED));
        make_private(&shared)?;
        let path = shared.join(std::process::id().to_string());
        let trash = Trash::open(&shared)?;
        // an earlier release has another name for what is shared
        let former = parent.join(format!("callboard-{user}"));
        let mut left = abandoned(&shared);
        left.extend(abandoned(&former));
        // of a process that had our id
        if trash.take(&path)?.is_some() {
            processes::end_marked(&path);
        }
        make_private(&path)?;
        let root = Self { path, trash };
        root.inherit(left, former);
        Ok(root)
    }

    /// Ends and removes what services have left that are gone, in a thread of its own, and all else that jobs have left.
    fn inherit(&self, left: Vec<PathBuf>, former: PathBuf) {
        let trash = Arc::clone(&self.trash);
        in_a_thread(move || {
            let started = Instant::now();
            // the host of a service that has died a moment ago is at it
            while left.iter().any(|folder| processes::has_marked(folder)) && started.elapsed() < HOSTS_TIME {
                thread::sleep(PAUSE);
            }
            for folder in &left {
                processes::end_marked(folder);
                // it is left for another time
                drop(trash.take(folder));
            }
            drop(fs::remove_dir(&former));
            trash.empty();
        });
    }

    /// Removes what is left of jobs that have ended, in a thread of its own; what resists is for the next time.
    pub(crate) fn tidy(&self) {
        let trash = Arc::clone(&self.trash);
        in_a_thread(move || trash.empty());
    }

    /// Returns the folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder of the host process.
    pub(crate) fn host(&self) -> io::Result<PathBuf> {
        let path = self.path.join("host");
        make_private(&path)?;
        Ok(path)
    }

    /// Removes all that jobs have left in the folder that this one is in, the host's folder excepted. For a machine where
    /// that is this process's alone, while no job runs. It blocks.
    pub(crate) fn clean(&self) -> io::Result<()> {
        let (shared, started) = (self.path.parent().unwrap_or(&self.path), Instant::now());
        let all = shared.parent().unwrap_or(shared);
        let goes_on = || started.elapsed() < CLEAN_LIMIT;
        keep_only(all, shared, &goes_on)?;
        keep_only(shared, &self.path, &goes_on)?;
        make_private(&shared.join(Trash::NAME))?;
        keep_only(&self.path, &self.path.join("host"), &goes_on)
    }

    /// Makes the folder of one attempt. The end of a job's id is random; the folder of another job is never shared.
    pub(crate) fn attempt(&self, id: JobId, attempt: u32) -> io::Result<Workspace> {
        let id = id.to_string();
        let short = &id[id.len() - sockets::ID_DIGITS..];
        let workspace = Workspace {
            path: self.path.join(format!("{short}-{attempt}")),
            trash: Arc::clone(&self.trash),
        };
        // what is left of a start that came to nothing
        self.trash.take(&workspace.path)?;
        DirBuilder::new().mode(0o700).create(&workspace.path)?;
        for folder in [workspace.home(), workspace.temporary()] {
            make_private(&folder)?;
        }
        Ok(workspace)
    }
}

fn in_a_thread(work: impl FnOnce() + Send + 'static) {
    drop(thread::Builder::new().name("wipe".to_owned()).spawn(work));
}

impl Drop for WorkRoot {
    fn drop(&mut self) {
        if let Err(error) = self.trash.take(&self.path) {
            tracing::warn!(path = %self.path.display(), error = %causes(&error), "a folder is left");
        }
        self.trash.close();
    }
}

/// The folder of one job.
#[derive(Debug)]
pub(crate) struct Workspace {
    path: PathBuf,
    trash: Arc<Trash>,
}

impl Workspace {
    /// Returns the folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder for what is fetched; it lasts as long as the job.
    pub(crate) fn scratch(&self) -> io::Result<PathBuf> {
        self.folder(sockets::FETCHED)
    }

    /// Makes a folder for programs that come before others of their names.
    pub(crate) fn programs(&self) -> io::Result<PathBuf> {
        self.folder("bin")
    }

    /// Returns the folder of what the job's ssh reads.
    pub(crate) fn ssh(&self) -> PathBuf {
        self.path.join("ssh")
    }

    /// Makes the folder of the job's secrets; its name is short, since a socket is in it.
    pub(crate) fn keys(&self) -> io::Result<PathBuf> {
        self.folder(sockets::KEYS)
    }

    fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        make_private(&path)?;
        Ok(path)
    }

    /// Returns the job's home, unless it has its caller's.
    pub(crate) fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    /// Returns the job's folder for temporary files.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.path.join(sockets::TEMPORARY)
    }

    /// Returns the folder of the sockets of connections that stay open: ssh's, and Ansible's to devices.
    pub(crate) fn sockets(&self) -> PathBuf {
        self.path.join(sockets::CONNECTIONS)
    }

    /// Writes a file that only the job's user can read; returns its path.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        write_private(&path, content)?;
        Ok(path)
    }

    /// Lets Ansible find its sockets' folders where it looks for them, unless its configuration names others: in the job's
    /// home, and nearer.
    pub(crate) fn link_sockets(&self) -> io::Result<()> {
        let ours = self.home().join(".ansible");
        make_private(&ours)?;
        for name in ["cp", "pc"] {
            symlink(self.sockets(), ours.join(name))?;
        }
        Ok(())
    }

    /// Lets the job's home show what the real home holds for Ansible: collections, roles, plugins, configuration.
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

    /// Removes the folder and everything in it. Nothing is at its path from then on; what takes long to remove, or resists, goes
    /// on to be removed after the job's end.
    pub(crate) async fn remove(&self) -> io::Result<()> {
        self.trash.remove(&self.path).await
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn cleaning_leaves_nothing_but_the_host_s_folder() -> Result<(), Box<dyn std::error::Error>> {
        let parent = tempfile::tempdir()?;
        let root = WorkRoot::create(parent.path())?;
        let host = root.host()?;
        fs::write(host.join("kept"), "")?;
        let attempt = root.attempt(JobId::new(), 1)?;
        let closed = parent.path().join("closed");
        fs::create_dir_all(closed.join("deep"))?;
        symlink(&host, parent.path().join("link"))?;
        for folder in [parent.path(), &closed.join("deep"), &attempt.home()] {
            fs::write(folder.join("left"), "")?;
        }
        fs::set_permissions(closed.join("deep"), Permissions::from_mode(0o000))?;
        root.clean()?;
        let names = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().count();
        let shared = root.path.parent().unwrap_or(&root.path);
        assert_eq!((names(parent.path()), names(shared), names(&root.path)), (1, 2, 1));
        assert!(host.join("kept").exists());
        Ok(())
    }
}
