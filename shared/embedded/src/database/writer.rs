//! The thread that writes; it commits for several callers at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use rusqlite::Connection;

use super::place::Place;
use crate::error::{sqlite, unavailable};

/// How many callers' writes share one commit, and therefore one wait for the disk.
const GROUP: usize = 64;

/// A caller's work, and whether it must be on the disk when the caller is answered.
pub(super) struct Write {
    pub(super) work: Work,
    pub(super) durable: bool,
}

pub(super) type Work = Box<dyn FnOnce(&Connection) -> Reply + Send>;
pub(super) type Reply = Box<dyn FnOnce(bool) + Send>;

/// The writer, until it is closed.
pub(super) struct Writer {
    writes: Mutex<Option<mpsc::Sender<Write>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    fault: Fault,
}

/// Why the last commit failed, if it did.
#[derive(Clone, Default)]
struct Fault(Arc<Mutex<Option<String>>>);

impl Writer {
    /// Starts the thread, with a connection to the file at a place.
    pub(super) fn start(connection: Connection, place: Place) -> std::io::Result<Self> {
        let (sender, writes) = mpsc::channel();
        let fault = Fault::default();
        let found = fault.clone();
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_loop(&connection, &writes, &place, &found))?;
        Ok(Self {
            writes: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            fault,
        })
    }

    pub(super) fn send(&self, write: Write) -> Result<(), StoreError> {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = writes.as_ref().is_some_and(|writes| writes.send(write).is_ok());
        sent.then_some(()).ok_or_else(|| unavailable("the writer has stopped"))
    }

    /// Returns why the last commit failed, if it did.
    pub(super) fn fault(&self) -> Option<String> {
        self.fault.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Completes the writes that were sent, accepts no more, and waits until the connection is closed.
    pub(super) fn close(&self) {
        drop(self.writes.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(thread.map(JoinHandle::join));
    }
}

impl Fault {
    fn set(&self, fault: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

fn write_loop(connection: &Connection, writes: &mpsc::Receiver<Write>, place: &Place, fault: &Fault) {
    while let Ok(first) = writes.recv() {
        let mut group = vec![first];
        group.extend(writes.try_iter().take(GROUP - 1));
        fault.set(commit(connection, group, place).err());
    }
}

/// Commits the writes of a group. If that fails, none of them takes effect, and each caller gets an error.
fn commit(connection: &Connection, group: Vec<Write>, place: &Place) -> Result<(), String> {
    let durable = group.iter().any(|write| write.durable);
    if let Err(error) = begin(connection, place, durable) {
        tracing::error!(error, "the database cannot be written");
        for write in group {
            (write.work)(connection)(false);
        }
        return Err(error);
    }
    let replies: Vec<Reply> = group.into_iter().map(|write| (write.work)(connection)).collect();
    let committed = connection.execute_batch("COMMIT");
    if let Err(error) = &committed {
        tracing::error!(error = %causes(error), "a commit failed");
        drop(connection.execute_batch("ROLLBACK"));
    }
    for reply in replies {
        reply(committed.is_ok());
    }
    committed.map_err(|error| causes(&error).to_string())
}

/// Starts a transaction. In WAL mode, `NORMAL` leaves the wait for the disk to the next commit in `FULL`, which is after it in the file.
fn begin(connection: &Connection, place: &Place, durable: bool) -> Result<(), String> {
    place.check().map_err(|moved| moved.to_string())?;
    let begun = connection.execute_batch(if durable {
        "PRAGMA synchronous = FULL; BEGIN IMMEDIATE"
    } else {
        "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE"
    });
    begun.map_err(|error| causes(&error).to_string())
}

/// Runs one caller's work in a savepoint: a failure undoes this caller's writes and no others.
pub(super) fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if connection.is_autocommit() {
        return Err(unavailable("no transaction could be started"));
    }
    connection.execute_batch("SAVEPOINT caller").map_err(sqlite)?;
    // a panic, which is reported on standard error, fails only this caller's write; the thread goes on for all the others
    let result = catch_unwind(AssertUnwindSafe(|| work(connection)));
    let result = result.unwrap_or_else(|_| Err(StoreError::Rejected("the code of this write panicked".into())));
    let end = if result.is_ok() {
        "RELEASE caller"
    } else {
        "ROLLBACK TO caller; RELEASE caller"
    };
    connection.execute_batch(end).map_err(sqlite)?;
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Database;

    #[test]
    fn a_write_that_panics_is_undone_and_costs_no_other() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let database = Database::open(&folder.path().join("callboard.db"))?;
            let add = |key: &'static str| {
                move |connection: &Connection| {
                    let add = "INSERT INTO messages (job_id, visible_at) VALUES (?1, 0)";
                    connection.execute(add, [key.as_bytes()]).map_err(sqlite)
                }
            };
            let panics = database.write(move |connection| {
                add("lost")(connection)?;
                let nothing: [u8; 0] = [];
                Ok(nothing[connection.changes() as usize])
            });
            let (panicked, made) = tokio::join!(panics, database.write(add("kept")));
            assert!(matches!(panicked, Err(StoreError::Rejected(_))), "{panicked:?}");
            assert_eq!(made?, 1);
            assert_eq!(database.write(add("later")).await?, 1);
            let count = |connection: &Connection| {
                let count = "SELECT count(*) FROM messages";
                connection
                    .query_row(count, (), |row| row.get::<_, i64>(0))
                    .map_err(sqlite)
            };
            assert_eq!(database.read(count).await?, 2);
            Ok(())
        })
    }
}
