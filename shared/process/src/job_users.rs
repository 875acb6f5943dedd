//! The users that jobs run as, where the service is root: one for all of them, or one of its own for each.

use std::collections::VecDeque;
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{getegid, geteuid};

use crate::files::write_shared;
use crate::folders::make_private;
use crate::ownership::pass;
use crate::user::DATABASE;
use crate::{JobFolders, User, processes};

/// How long a job waits for a user of its own of whom nothing is left: for at least 15 s, more than a supervisor takes to end its job.
const TRIES: u32 = 150;
const PAUSE: Duration = Duration::from_millis(100);
/// How often what a user's job has left running is ended: for at least 2 s.
const ENDS: u32 = 100;
const END_PAUSE: Duration = Duration::from_millis(20);

/// As whom jobs run. Clones share the users.
#[derive(Clone, Debug)]
pub enum JobUsers {
    /// All as this one.
    One(User),
    /// Each as one of its own, whom the user database need not know.
    Own(Arc<Free>),
}

/// The ids that no job of this process has.
#[derive(Debug)]
pub struct Free {
    ids: Mutex<VecDeque<u32>>,
    /// The folder with a file for each id that a job has had. It is locked while one has it, whichever service's.
    locks: PathBuf,
}

/// The user of one job. A user of the job's own is given back when this is dropped.
#[derive(Debug)]
pub struct JobUser {
    /// The user's name.
    pub name: String,
    /// The user's id.
    pub uid: u32,
    /// The id of the user's own group.
    pub gid: u32,
    /// The home in the user database, unless the user is the job's own.
    pub home: Option<PathBuf>,
    held: Option<Held>,
}

/// What is given back with the user of a job.
#[derive(Debug)]
struct Held {
    free: Arc<Free>,
    _lock: File,
}

impl JobUsers {
    /// Makes a user of its own for each job: all have one of these ids, and a group of the same id. Services on one machine may have the same
    /// ids: they see by the files in `locks`, a folder that only they can use, which of them a job has. See [`JobUsers::prepare`].
    #[must_use]
    pub fn own(ids: RangeInclusive<u32>, locks: &Path) -> Self {
        Self::Own(Arc::new(Free {
            ids: Mutex::new(ids.collect()),
            locks: locks.to_owned(),
        }))
    }

    /// Makes what taking users needs, before the first is taken.
    ///
    /// # Errors
    /// The folder of the locks cannot be made, or others can use it.
    pub fn prepare(&self) -> io::Result<()> {
        match self {
            Self::One(_) => Ok(()),
            Self::Own(free) => make_private(&free.locks),
        }
    }

    /// Returns how jobs are kept apart by this, in a word for their records.
    #[must_use]
    pub fn means(&self) -> &'static str {
        match self {
            Self::One(_) => "user",
            Self::Own(_) => "own_user",
        }
    }

    /// Returns whether no job can have the user of another one.
    #[must_use]
    pub fn keep_apart(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// Returns a user for a job. One of its own has no process and no folder among those of jobs, so nothing of an earlier job.
    ///
    /// # Errors
    /// Something is left of the jobs of all users that are free.
    pub async fn take(&self, folders: &JobFolders) -> io::Result<JobUser> {
        let free = match self {
            Self::One(user) => return Ok(JobUser::one(user)),
            Self::Own(free) => free,
        };
        for _ in 0..TRIES {
            if let Some(user) = free.clean(folders)? {
                return Ok(user);
            }
            tokio::time::sleep(PAUSE).await;
        }
        let message = "no user of --job-user is free: processes or folders of each are there, of an earlier job or of somebody else";
        Err(io::Error::new(io::ErrorKind::ResourceBusy, message))
    }

    /// Returns a user of this kind, for a look at what such a user may do.
    #[must_use]
    pub fn example(&self) -> JobUser {
        match self {
            Self::One(user) => JobUser::one(user),
            Self::Own(free) => JobUser::own(free.ids().front().copied().unwrap_or(u32::MAX), None),
        }
    }
}

impl Free {
    /// Takes the user who has been free for the longest, of those of whom nothing is left.
    fn clean(self: &Arc<Self>, folders: &JobFolders) -> io::Result<Option<JobUser>> {
        let mut ids = self.ids();
        for _ in 0..ids.len() {
            let Some(&uid) = ids.front() else { break };
            match self.lock(uid)? {
                Some(lock) if !processes::has_any_of(uid) && !folders.has_any_of(uid) => {
                    ids.pop_front();
                    let free = Arc::clone(self);
                    return Ok(Some(JobUser::own(uid, Some(Held { free, _lock: lock }))));
                }
                _ => ids.rotate_left(1),
            }
        }
        Ok(None)
    }

    /// Locks an id, unless a job of another service has it.
    fn lock(&self, uid: u32) -> io::Result<Option<File>> {
        let path = self.locks.join(uid.to_string());
        let file = File::options().create(true).append(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn ids(&self) -> MutexGuard<'_, VecDeque<u32>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JobUser {
    fn one(user: &User) -> Self {
        Self {
            name: user.name.clone(),
            uid: user.uid,
            gid: user.gid,
            home: Some(user.home.clone()),
            held: None,
        }
    }

    fn own(uid: u32, held: Option<Held>) -> Self {
        Self {
            name: format!("callboard-{uid}"),
            uid,
            gid: uid,
            home: None,
            held,
        }
    }

    /// Gives a folder to the user, with everything in it. From then on, the user may put something else at any path in it.
    ///
    /// # Errors
    /// Something in it cannot be given.
    pub async fn give(&self, folder: &Path) -> io::Result<()> {
        pass_to(folder, self.uid, self.gid).await
    }

    /// Takes a folder back, with everything that the user has put into it. From then on, the user can change nothing in it.
    ///
    /// # Errors
    /// Something in it cannot be taken.
    pub async fn take_back(&self, folder: &Path) -> io::Result<()> {
        pass_to(folder, geteuid().as_raw(), getegid().as_raw()).await
    }

    /// Lets the user pass through a folder, on the way to what is the user's own in it, and nobody else.
    ///
    /// # Errors
    /// The folder's permissions cannot be changed.
    pub fn let_through(&self, folder: &Path) -> io::Result<()> {
        chown(folder, None, Some(self.gid))?;
        fs::set_permissions(folder, Permissions::from_mode(0o710))
    }

    /// Ends what is left of a job by its user, if that is the job's own: a process that another has started for it, such as `cron`.
    pub async fn end_processes(&self) {
        for _ in 0..ENDS {
            if self.held.is_none() || !processes::end_all_of(self.uid) {
                return;
            }
            tokio::time::sleep(END_PAUSE).await;
        }
    }

    /// Writes a user database that knows the user as well, with this home, if the machine's does not; returns its path. Without an entry, ssh
    /// refuses to run.
    ///
    /// # Errors
    /// The file cannot be written, or the machine's cannot be read.
    pub fn database(&self, folder: &Path, home: &Path) -> io::Result<Option<PathBuf>> {
        if self.home.is_some() {
            return Ok(None);
        }
        let (Self { name, uid, gid, .. }, home) = (self, home.display());
        let mut text = fs::read(DATABASE)?;
        // no shadow entry belongs to it
        text.extend(format!("{name}:*:{uid}:{gid}::{home}:/bin/sh\n").bytes());
        let path = folder.join(format!("passwd-{uid}"));
        // an earlier job's may still be somewhere
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => write_shared(&path, &text)?,
        }
        Ok(Some(path))
    }
}

async fn pass_to(folder: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let folder = folder.to_owned();
    let passed = tokio::task::spawn_blocking(move || pass(&folder, uid, gid)).await;
    passed.map_err(io::Error::other)?
}

impl Drop for JobUser {
    fn drop(&mut self) {
        if let Some(Held { free, .. }) = &self.held {
            free.ids().push_back(self.uid);
        }
    }
}
