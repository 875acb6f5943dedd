//! [`JobQueue`] on SQLite, with the guarantees of SQS: each message is delivered at least once, and hidden while it is worked on.
//!
//! Nothing here waits for the disk: a machine that stops may forget that a message was sent, received or deleted. The jobs' own states
//! say whether each is to be worked on, and the sweep sends the messages that are missing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::base::causes::causes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, Timestamp};
use callboard_core::job::JobQueue;
use callboard_core::request::Lane;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::Notify;

use crate::database::Database;
use crate::error::sqlite;

/// How long a receiver sleeps before it looks for messages that have become visible or that another process has sent.
const POLL: Duration = Duration::from_millis(500);

/// A received message, hidden from other receivers until its visibility timeout ends.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    id: i64,
    /// The job that the message names.
    pub job_id: JobId,
    /// How often the message has been received, including this time.
    pub receives: u32,
}

/// Sends and receives job ids through the `messages` table. Clones share the queue.
#[derive(Clone)]
pub struct SqliteQueue {
    database: Database,
    clock: Arc<dyn Clock>,
    /// Wakes the receivers of each lane.
    sent: Arc<[Notify; Lane::ALL.len()]>,
}

impl SqliteQueue {
    /// Uses a database.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            clock,
            sent: Arc::default(),
        }
    }

    /// Waits for a message of a lane and hides it from others for `visibility`.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn receive(&self, lane: Lane, visibility: Duration) -> Result<Message, StoreError> {
        loop {
            let sent = self.sent[lane as usize].notified();
            if let Some(message) = self.try_receive(lane, visibility).await? {
                return Ok(message);
            }
            drop(tokio::time::timeout(POLL, sent).await);
        }
    }

    /// Takes a message of a lane if one is visible now.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn try_receive(&self, lane: Lane, visibility: Duration) -> Result<Option<Message>, StoreError> {
        let now = self.clock.now();
        if self.is_empty(lane, now).await? {
            return Ok(None);
        }
        let hidden_until = (now + visibility).as_millis();
        self.database
            .write_soon(move |connection| {
                let receive = "UPDATE messages SET visible_at = ?1, receives = receives + 1
                    WHERE id = (SELECT id FROM messages WHERE lane IS ?3 AND visible_at <= ?2 ORDER BY visible_at, id LIMIT 1)
                    RETURNING id, job_id, receives";
                let mut statement = connection.prepare_cached(receive).map_err(sqlite)?;
                let received = statement.query_row((hidden_until, now.as_millis(), lane.stored()), |row| {
                    let (id, receives) = (row.get(0)?, row.get(2)?);
                    let job_id = row.get(1).map(JobId::from_bytes);
                    Ok((id, job_id, receives))
                });
                let Some((id, job_id, receives)) = received.optional().map_err(sqlite)? else {
                    return Ok(None);
                };
                match job_id {
                    Ok(job_id) => Ok(Some(Message { id, job_id, receives })),
                    Err(error) => discard(connection, id, &error).map(|()| None),
                }
            })
            .await
    }

    /// Deletes a message whose job needs no more work.
    ///
    /// # Errors
    /// The database is unavailable; the message will be received again.
    pub async fn acknowledge(&self, message: Message) -> Result<(), StoreError> {
        self.database
            .write_soon(move |connection| {
                let mut statement = connection
                    .prepare_cached("DELETE FROM messages WHERE id = ?1")
                    .map_err(sqlite)?;
                statement.execute([message.id]).map(drop).map_err(sqlite)
            })
            .await
    }

    /// Checks for messages without writing, so that an idle queue does not keep the disk busy.
    async fn is_empty(&self, lane: Lane, now: Timestamp) -> Result<bool, StoreError> {
        self.database
            .read(move |connection| {
                let look = "SELECT 1 FROM messages WHERE lane IS ?2 AND visible_at <= ?1 LIMIT 1";
                let mut statement = connection.prepare_cached(look).map_err(sqlite)?;
                statement
                    .exists((now.as_millis(), lane.stored()))
                    .map(|found| !found)
                    .map_err(sqlite)
            })
            .await
    }
}

/// Deletes a message that names no job; otherwise it would block the messages behind it for ever.
fn discard(connection: &Connection, id: i64, error: &rusqlite::Error) -> Result<(), StoreError> {
    tracing::error!(error = %causes(error), "a message of the queue is damaged; it is deleted");
    let deleted = connection.execute("DELETE FROM messages WHERE id = ?1", [id]);
    deleted.map(drop).map_err(sqlite)
}

#[async_trait]
impl JobQueue for SqliteQueue {
    async fn send(&self, id: JobId, lane: Lane, delay: Duration) -> Result<(), StoreError> {
        let visible_at = (self.clock.now() + delay).as_millis();
        self.database
            .write_soon(move |connection| {
                let send = "INSERT INTO messages (job_id, visible_at, lane) VALUES (?1, ?2, ?3)";
                let mut statement = connection.prepare_cached(send).map_err(sqlite)?;
                statement
                    .execute((id.as_bytes(), visible_at, lane.stored()))
                    .map(drop)
                    .map_err(sqlite)
            })
            .await?;
        self.sent[lane as usize].notify_one();
        Ok(())
    }

    async fn is_longer_than(&self, limit: u32, lane: Option<Lane>) -> Result<bool, StoreError> {
        self.database
            .read(move |connection| {
                let Some(lane) = lane else {
                    let look = "SELECT 1 FROM messages LIMIT 1 OFFSET ?1";
                    let mut statement = connection.prepare_cached(look).map_err(sqlite)?;
                    return statement.exists([limit]).map_err(sqlite);
                };
                let look = "SELECT 1 FROM messages WHERE lane IS ?2 LIMIT 1 OFFSET ?1";
                let mut statement = connection.prepare_cached(look).map_err(sqlite)?;
                statement.exists((limit, lane.stored())).map_err(sqlite)
            })
            .await
    }
}
