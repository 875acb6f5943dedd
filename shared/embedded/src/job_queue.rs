//! [`JobQueue`] on SQLite, with the guarantees of SQS: each message is delivered at least once, and hidden while it is worked on. In each
//! lane, the tenants have their turns.
//!
//! Nothing here waits for the disk: a machine that stops may forget that a message was sent, received or deleted. The jobs' own states
//! say whether each is to be worked on, and the sweep sends the messages that are missing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::base::causes::causes;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, Timestamp};
use callboard_core::job::{JobQueue, Ticket};
use callboard_core::request::Lane;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::Notify;

use crate::database::Database;
use crate::error::sqlite;
use crate::rows::execute;

/// How long a receiver sleeps before it looks for messages that have become visible or that another process has sent.
const POLL: Duration = Duration::from_millis(500);

/// A received message, hidden from other receivers until its visibility timeout ends.
#[derive(Clone, Debug)]
pub struct Message {
    id: i64,
    /// The job, as it was sent.
    pub ticket: Ticket,
    /// How often the message has been received, including this time.
    pub receives: u32,
}

/// Sends and receives job ids through the `messages` table. Clones share the queue.
#[derive(Clone)]
pub struct SqliteQueue {
    database: Database,
    clock: Arc<dyn Clock>,
    /// The receivers of each lane.
    lanes: Arc<[Receivers; Lane::ALL.len()]>,
}

/// What the receivers of a lane share.
#[derive(Default)]
struct Receivers {
    /// Wakes one of them.
    sent: Notify,
    /// Whose turn was the last: the next is that of the tenant that follows in the order of names.
    last: Mutex<String>,
}

impl SqliteQueue {
    /// Uses a database.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            clock,
            lanes: Arc::default(),
        }
    }

    /// Waits for a message of a lane and hides it from others for `visibility`.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn receive(&self, lane: Lane, visibility: Duration) -> Result<Message, StoreError> {
        loop {
            let sent = self.lanes[lane as usize].sent.notified();
            if let Some(message) = self.try_receive(lane, visibility).await? {
                return Ok(message);
            }
            drop(tokio::time::timeout(POLL, sent).await);
        }
    }

    /// Takes a message of a lane if one is visible now: the oldest of the tenant whose turn it is.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn try_receive(&self, lane: Lane, visibility: Duration) -> Result<Option<Message>, StoreError> {
        let now = self.clock.now();
        let last = self.last(lane);
        let looked = last.clone();
        // nothing is written while there is nothing, so that an idle queue does not keep the disk busy
        let look = move |connection: &Connection| next(connection, lane, now, &looked).map(|next| next.is_none());
        if self.database.read(look).await? {
            return Ok(None);
        }
        let hidden_until = (now + visibility).as_millis();
        let received = self.database.write_soon(move |connection| {
            let Some((id, tenant)) = next(connection, lane, now, &last)? else {
                return Ok(None);
            };
            let receive = "UPDATE messages SET visible_at = ?1, receives = receives + 1 WHERE id = ?2
                RETURNING job_id, receives";
            let mut statement = connection.prepare_cached(receive).map_err(sqlite)?;
            let received = statement.query_row((hidden_until, id), |row| Ok((row.get(0), row.get(1)?)));
            let (job_id, receives) = received.map_err(sqlite)?;
            let ticket = match job_id {
                Ok(job_id) => Ticket {
                    id: JobId::from_bytes(job_id),
                    lane,
                    tenant: Tenant::from(tenant),
                },
                Err(error) => return discard(connection, id, &error).map(|()| None),
            };
            Ok(Some(Message { id, ticket, receives }))
        });
        let received = received.await?;
        if let Some(message) = &received {
            let mut last = self.lanes[lane as usize]
                .last
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            message.ticket.tenant.as_str().clone_into(&mut last);
        }
        Ok(received)
    }

    /// Deletes a message whose job needs no more work.
    ///
    /// # Errors
    /// The database is unavailable; the message will be received again.
    pub async fn acknowledge(&self, message: Message) -> Result<(), StoreError> {
        self.database
            .write_soon(move |connection| execute(connection, "DELETE FROM messages WHERE id = ?1", [message.id]))
            .await
    }

    /// Returns whose turn was the last.
    fn last(&self, lane: Lane) -> String {
        let last = self.lanes[lane as usize].last.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Finds the message whose turn it is, and its tenant: the oldest that is visible of the first tenant after `last` that has one.
fn next(connection: &Connection, lane: Lane, now: Timestamp, last: &str) -> Result<Option<(i64, String)>, StoreError> {
    let tenants = "SELECT tenant FROM messages WHERE lane IS ?1 AND tenant > ?2 ORDER BY tenant LIMIT 1";
    let mut tenants = connection.prepare_cached(tenants).map_err(sqlite)?;
    let oldest = "SELECT id FROM messages WHERE lane IS ?1 AND tenant = ?2 AND visible_at <= ?3
        ORDER BY visible_at, id LIMIT 1";
    let mut oldest = connection.prepare_cached(oldest).map_err(sqlite)?;
    let (mut at, mut again) = (last.to_owned(), false);
    loop {
        let tenant = tenants.query_row((lane.stored(), &at), |row| row.get(0)).optional();
        match tenant.map_err(sqlite)? {
            Some(tenant) if again && last < String::as_str(&tenant) => return Ok(None),
            Some(tenant) => at = tenant,
            None if again || last.is_empty() => return Ok(None),
            None => {
                (at, again) = (String::new(), true);
                continue;
            }
        }
        let found = oldest.query_row((lane.stored(), &at, now.as_millis()), |row| row.get(0));
        if let Some(id) = found.optional().map_err(sqlite)? {
            return Ok(Some((id, at)));
        }
    }
}

/// Deletes a message that names no job; otherwise it would block the messages behind it for ever.
fn discard(connection: &Connection, id: i64, error: &rusqlite::Error) -> Result<(), StoreError> {
    tracing::error!(error = %causes(error), "a message of the queue is damaged; it is deleted");
    execute(connection, "DELETE FROM messages WHERE id = ?1", [id])
}

#[async_trait]
impl JobQueue for SqliteQueue {
    async fn send(&self, ticket: &Ticket, delay: Duration) -> Result<(), StoreError> {
        let visible_at = (self.clock.now() + delay).as_millis();
        let Ticket { id, lane, tenant } = ticket.clone();
        self.database
            .write_soon(move |connection| {
                let send = "INSERT INTO messages (job_id, visible_at, lane, tenant) VALUES (?1, ?2, ?3, ?4)";
                let params = (id.as_bytes(), visible_at, lane.stored(), tenant.as_str());
                execute(connection, send, params)
            })
            .await?;
        self.lanes[lane as usize].sent.notify_one();
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
