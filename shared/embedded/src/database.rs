//! The SQLite file: one writer that commits for several callers at once, and readers beside it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use callboard_core::causes::causes;
use callboard_core::ports::StoreError;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Semaphore, oneshot};

use crate::error::{OpenError, sqlite, unavailable};

/// What leads from each version to the next.
const STEPS: [&str; 4] = [
    include_str!("schema.sql"),
    include_str!("credentials.sql"),
    include_str!("contract.sql"),
    include_str!("answers.sql"),
];
pub(crate) const SCHEMA_VERSION: u32 = STEPS.len() as u32;
/// How many callers' writes share one commit, and so one wait for the disk.
const GROUP: usize = 64;
/// How many reads go on at once, each with a connection, which is open files. The others wait.
const READERS: usize = 4;

type Write = Box<dyn FnOnce(&Connection) -> Reply + Send>;
type Reply = Box<dyn FnOnce(bool) + Send>;

/// An open database. Clones share it.
#[derive(Clone)]
pub struct Database {
    path: Arc<PathBuf>,
    writer: mpsc::Sender<Write>,
    readers: Arc<Readers>,
}

/// Connections that read: at most as many as there are places.
struct Readers {
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Database {
    /// Opens the file, makes it if it is not there, and starts the writer.
    ///
    /// A commit is on the disk when a write returns (`synchronous=FULL`), and readers never wait (WAL). So is the file's
    /// name in its folder, which SQLite leaves to chance for a new one.
    ///
    /// # Errors
    /// [`OpenError`] says which file and why.
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
        let (writer, writes) = mpsc::channel();
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_loop(&connection, &writes))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            path: Arc::new(path.to_owned()),
            writer,
            readers: Arc::new(Readers {
                places: Arc::new(Semaphore::new(READERS)),
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
        let (sender, receiver) = oneshot::channel();
        let write: Write = Box::new(move |connection| {
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
        self.writer
            .send(write)
            .map_err(|_| unavailable("the writer has stopped"))?;
        receiver.await.map_err(|_| unavailable("the writer has stopped"))?
    }

    /// Runs `work` on a reading connection, beside any write, as soon as one is free.
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

    fn reader(&self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.idle().pop() {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&*self.path, flags).map_err(sqlite)?;
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

/// Makes the file for its owner alone, and SQLite gives its other files the same mode. Where this fails, SQLite says why.
fn make_private(path: &Path) {
    drop(OpenOptions::new().append(true).create(true).mode(0o600).open(path));
}

fn set_up(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -4000)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

/// Two processes may open a new file at once: the version is read again inside the transaction.
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
            connection.execute_batch(step).map_err(failed)?;
        }
        connection
            .pragma_update(None, "user_version", SCHEMA_VERSION)
            .map_err(failed)?;
    }
    connection.execute_batch("COMMIT").map_err(failed)
}

fn write_loop(connection: &Connection, writes: &mpsc::Receiver<Write>) {
    while let Ok(first) = writes.recv() {
        let mut group = vec![first];
        group.extend(writes.try_iter().take(GROUP - 1));
        commit(connection, group);
    }
}

fn commit(connection: &Connection, group: Vec<Write>) {
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        tracing::error!(
            error = %causes(&error),
            "the database cannot be written"
        );
        for write in group {
            write(connection)(false);
        }
        return;
    }
    let replies: Vec<Reply> = group.into_iter().map(|write| write(connection)).collect();
    let committed = connection.execute_batch("COMMIT");
    if let Err(error) = &committed {
        tracing::error!(error = %causes(error), "a commit failed");
        drop(connection.execute_batch("ROLLBACK"));
    }
    for reply in replies {
        reply(committed.is_ok());
    }
}

/// One caller's failure undoes that caller's writes and no other's.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if connection.is_autocommit() {
        return Err(unavailable("no transaction could be started"));
    }
    connection.execute_batch("SAVEPOINT caller").map_err(sqlite)?;
    let result = work(connection);
    let end = if result.is_ok() {
        "RELEASE caller"
    } else {
        "ROLLBACK TO caller; RELEASE caller"
    };
    connection.execute_batch(end).map_err(sqlite)?;
    result
}
