//! The SQLite file: one writer that commits for several callers at once, and readers that run beside it.

mod place;
mod writer;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Semaphore, oneshot};

use self::place::Place;
use self::writer::{Work, Write, Writer, in_savepoint};
use crate::error::{OpenError, sqlite, unavailable};
use crate::lasting::Lasting;
use crate::schema::{SCHEMA_VERSION, STEPS};

/// How many reads may run at once; each has a connection, which uses open files. Other reads wait.
const READERS: u32 = 4;

/// An open database. Clones share it.
#[derive(Clone)]
pub struct Database {
    place: Place,
    writer: Arc<Writer>,
    readers: Arc<Readers>,
    writes: Arc<Lasting>,
}

/// Connections for reading, at most one for each place.
struct Readers {
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Database {
    /// Opens the file, makes it if it does not exist, and starts the writer.
    ///
    /// Readers never wait for writers (WAL). The name of a new file is also synchronized to the disk, in its folder, because SQLite
    /// does not guarantee that.
    ///
    /// # Errors
    /// [`OpenError`] says which file failed and why.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Sqlite {
            path: path.to_owned(),
            source,
        };
        make_private(path);
        let connection = Connection::open(path).map_err(failed)?;
        set_up(&connection).map_err(failed)?;
        migrate(&connection, path)?;
        sync_folder(path).map_err(OpenError::Folder)?;
        let place = Place::of(path).map_err(OpenError::Folder)?;
        let writer = Writer::start(connection, place.clone()).map_err(OpenError::Thread)?;
        Ok(Self {
            place,
            writer: Arc::new(writer),
            writes: Arc::default(),
            readers: Arc::new(Readers {
                places: Arc::new(Semaphore::new(READERS as usize)),
                idle: Mutex::default(),
            }),
        })
    }

    /// Runs `work` in a transaction; when this returns, its writes are on the disk.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.send(work, true).await
    }

    /// Runs `work` in a transaction, as [`Self::write`] does, but does not wait for the disk. If the machine itself stops, its writes may
    /// be lost, together with all later ones; they reach the disk before any later [`Self::write`] returns.
    pub(crate) async fn write_soon<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.send(work, false).await
    }

    async fn send<T, F>(&self, work: F, durable: bool) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            let result = in_savepoint(connection, work);
            Box::new(move |committed| {
                let result = if committed {
                    result
                } else {
                    Err(unavailable("the commit failed"))
                };
                drop(sender.send(result));
            })
        });
        self.writer.send(Write { work, durable })?;
        receiver.await.map_err(|_| unavailable("the writer has stopped"))?
    }

    /// Runs `work` on a reading connection as soon as one is free; writes go on meanwhile.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let place = Arc::clone(&self.readers.places).acquire_owned().await;
        let place = place.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        let database = self.clone();
        let joined = tokio::task::spawn_blocking(move || {
            let connection = database.reader()?;
            let result = work(&connection);
            database.idle().push(connection);
            drop(place);
            result
        });
        joined.await.map_err(|error| StoreError::Unavailable(Box::new(error)))?
    }

    /// Returns a sentence that says why nothing can be written, if so. It checks that the file exists and writes a page
    /// of it, at most every two seconds, and also reports the result of the last commit.
    pub async fn fault(&self) -> Option<String> {
        let found = self.writes.fault(self.try_to_write()).await;
        let fault = found.or_else(|| self.writer.fault())?;
        Some(format!(
            "The database {} cannot be written: {fault}.",
            self.place.path().display()
        ))
    }

    /// Writes a value that is already there, unless it is that of a newer release.
    async fn try_to_write(&self) -> Option<String> {
        let written = self.write(|connection| {
            let found: u32 = connection
                .query_row("PRAGMA user_version", [], |row| row.get(0))
                .map_err(sqlite)?;
            if found > SCHEMA_VERSION {
                let upgraded = format!("a newer release has upgraded it to schema version {found}; start that release");
                return Err(StoreError::Unavailable(upgraded.into()));
            }
            connection.pragma_update(None, "user_version", found).map_err(sqlite)
        });
        let error = written.await.err()?;
        Some(self.writer.fault().unwrap_or_else(|| causes(&error).to_string()))
    }

    /// Closes the database, so that everything is in one file. Earlier requests are completed first; later ones fail.
    pub async fn close(&self) {
        let idle = Arc::clone(&self.readers.places).acquire_many_owned(READERS).await;
        self.readers.places.close();
        self.idle().clear();
        drop(idle);
        let writer = Arc::clone(&self.writer);
        drop(tokio::task::spawn_blocking(move || writer.close()).await);
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.idle().pop() {
            return Ok(connection);
        }
        self.place
            .check()
            .map_err(|moved| StoreError::Unavailable(Box::new(moved)))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.place.path(), flags).map_err(sqlite)?;
        connection
            .busy_timeout(std::time::Duration::from_secs(5))
            .map_err(sqlite)?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Makes the file readable by its owner only; SQLite gives its other files the same mode. If this fails, SQLite reports why.
fn make_private(path: &Path) {
    drop(OpenOptions::new().append(true).create(true).mode(0o600).open(path));
}

fn set_up(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -2000)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

/// Brings the schema up to date. Two processes may open a new file at once, so the version is read again inside the transaction.
fn migrate(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Sqlite {
        path: path.to_owned(),
        source,
    };
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let found: u32 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed)?;
    if found > SCHEMA_VERSION {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
        });
    }
    if found < SCHEMA_VERSION {
        for step in STEPS.iter().skip(found as usize) {
            let mut done = connection
                .prepare(step.done.unwrap_or("SELECT 1 WHERE FALSE"))
                .map_err(failed)?;
            if !done.exists([]).map_err(failed)? {
                connection.execute_batch(step.sql).map_err(failed)?;
            }
        }
        connection
            .pragma_update(None, "user_version", SCHEMA_VERSION)
            .map_err(failed)?;
    }
    connection.execute_batch("COMMIT").map_err(failed)
}
