//! The folders of running jobs; they are below one folder of this process, which is removed with it.

use std::fs::{self, DirBuilder, DirEntry};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

use callboard_core::base::causes::causes;
use callboard_core::base::id::JobId;

use crate::folders::{abandoned, keep_only, let_through, make_private};
use crate::job_folder::JobFolder;
use crate::trash::Trash;
use crate::{paths, processes};

/// How long cleaning may take.
const CLEAN_LIMIT: Duration = Duration::from_secs(30);
/// How long to wait for the host of a service that has died to end and remove what that service left.
const HOSTS_TIME: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// The parent of the folders of this process's jobs. Removed with all of them when dropped.
#[derive(Debug)]
pub struct JobFolders {
    path: PathBuf,
    trash: Arc<Trash>,
}

impl JobFolders {
    /// Makes a folder for this process below `parent`, and removes the folders of processes that are gone.
    ///
    /// The path is kept short: programs put sockets below it, and a socket's path has at most 107 bytes.
    /// `longest_socket` is how many of these bytes a job needs below its own folder.
    ///
    /// # Errors
    /// The path is too long, or a folder cannot be made or belongs to somebody else.
    pub fn create(parent: &Path, longest_socket: usize) -> io::Result<Self> {
        let parent = Self::place(parent, longest_socket)?;
        let user = rustix::process::getuid().as_raw();
        let shared = parent.join(format!("{}{user}", paths::SHARED));
        make_private(&shared)?;
        let path = shared.join(std::process::id().to_string());
        let trash = Trash::open(&shared)?;
        // an earlier release used another name for the shared folder
        let former = parent.join(format!("callboard-{user}"));
        let mut left = abandoned(&shared);
        left.extend(abandoned(&former));
        // left by a process that had our id
        if trash.take(&path)?.is_some() {
            processes::end_marked(&path);
        }
        make_private(&path)?;
        let root = Self { path, trash };
        root.inherit(left, former);
        Ok(root)
    }

    /// Returns `parent` with all links resolved, because sockets are known by that path.
    ///
    /// # Errors
    /// The path is too long for sockets, or does not exist.
    pub fn place(parent: &Path, longest_socket: usize) -> io::Result<PathBuf> {
        let user = rustix::process::getuid().as_raw();
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", parent.display()));
        let parent = parent.canonicalize().map_err(named)?;
        let limit = paths::max_parent_bytes(user, longest_socket);
        if parent.as_os_str().len() > limit {
            let message = format!(
                "{} is longer than {limit} bytes, the limit for user {user}, because programs make sockets below it; choose a \
                 shorter one with --work",
                parent.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(parent)
    }

    /// Ends the processes and removes the folders of services that are gone, and everything else that jobs have left,
    /// in a separate thread.
    fn inherit(&self, left: Vec<PathBuf>, former: PathBuf) {
        let trash = Arc::clone(&self.trash);
        in_a_thread(move || {
            let started = Instant::now();
            // the host of a service that died a moment ago is still cleaning up
            while left.iter().any(|folder| processes::has_marked(folder)) && started.elapsed() < HOSTS_TIME {
                thread::sleep(PAUSE);
            }
            for folder in &left {
                processes::end_marked(folder);
                // if it cannot be taken, it is left for another time
                drop(trash.take(folder));
            }
            drop(fs::remove_dir(&former));
            trash.empty();
        });
    }

    /// Removes what is left of jobs that have ended, in a separate thread; whatever cannot be removed is tried again next time.
    pub fn tidy(&self) {
        let trash = Arc::clone(&self.trash);
        in_a_thread(move || trash.empty());
    }

    /// Returns the folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the users of jobs reach their own folders among these.
    ///
    /// # Errors
    /// The permissions of a folder cannot be changed.
    pub fn let_through(&self) -> io::Result<()> {
        let_through(self.shared())?;
        let_through(&self.path)
    }

    /// Returns whether a user has a folder among those of running jobs, of this process or of another one.
    pub(crate) fn has_any_of(&self, uid: u32) -> bool {
        let below = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        let is_of = |entry: &DirEntry| entry.metadata().is_ok_and(|found| found.uid() == uid);
        let processes = below(self.shared()).filter(|entry| entry.file_name() != Trash::NAME);
        processes
            .flat_map(|entry| below(&entry.path()))
            .any(|entry| is_of(&entry))
    }

    /// Returns the folder that all processes of the user share, in which this one has its own.
    #[must_use]
    pub fn shared(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Makes the folder of the host, a process that outlives jobs.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn host(&self) -> io::Result<PathBuf> {
        let path = self.path.join("host");
        make_private(&path)?;
        Ok(path)
    }

    /// Removes everything that jobs have left in the parent folder, except the host's folder. Use it only on a machine
    /// where the parent folder is used by this process alone, and while no job runs. It blocks.
    ///
    /// # Errors
    /// Something cannot be removed, or not within half a minute.
    pub fn clean(&self) -> io::Result<()> {
        let (shared, started) = (self.shared(), Instant::now());
        let all = shared.parent().unwrap_or(shared);
        let goes_on = || started.elapsed() < CLEAN_LIMIT;
        keep_only(all, shared, &goes_on)?;
        keep_only(shared, &self.path, &goes_on)?;
        make_private(&shared.join(Trash::NAME))?;
        keep_only(&self.path, &self.path.join("host"), &goes_on)
    }

    /// Makes the folder of one attempt. It is named after the random end of the job's id; it is never shared with another job.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn attempt(&self, id: JobId, attempt: u32) -> io::Result<JobFolder> {
        let id = id.to_string();
        let short = &id[id.len() - paths::ID_DIGITS..];
        let path = self.path.join(format!("{short}-{attempt}"));
        // the rest of a start that failed
        self.trash.take(&path)?;
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(JobFolder::new(path, Arc::clone(&self.trash)))
    }
}

fn in_a_thread(work: impl FnOnce() + Send + 'static) {
    drop(thread::Builder::new().name("wipe".to_owned()).spawn(work));
}

impl Drop for JobFolders {
    fn drop(&mut self) {
        if let Err(error) = self.trash.take(&self.path) {
            tracing::warn!(path = %self.path.display(), error = %causes(&error), "a folder could not be removed");
        }
        self.trash.close();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn cleaning_leaves_nothing_but_the_host_s_folder() -> Result<(), Box<dyn std::error::Error>> {
        let parent = tempfile::tempdir()?;
        let root = JobFolders::create(parent.path(), 40)?;
        let host = root.host()?;
        fs::write(host.join("kept"), "")?;
        let attempt = root.attempt(JobId::new(), 1)?;
        let closed = parent.path().join("closed");
        fs::create_dir_all(closed.join("deep"))?;
        symlink(&host, parent.path().join("link"))?;
        for folder in [parent.path(), &closed.join("deep"), attempt.path()] {
            fs::write(folder.join("left"), "")?;
        }
        fs::set_permissions(closed.join("deep"), Permissions::from_mode(0o000))?;
        root.clean()?;
        let names = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().count();
        let shared = root.shared();
        assert_eq!((names(parent.path()), names(shared), names(&root.path)), (1, 2, 1));
        assert!(host.join("kept").exists());
        Ok(())
    }
}
