//! One response that streams a job.

use std::time::Duration;

use bytes::Bytes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use futures_util::FutureExt;
use futures_util::stream::{Stream, try_unfold};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use uuid::Uuid;

use super::message::{End, MessageType, Types, of_end, of_json, of_piece};
use crate::app::{AnswerLimits, App};
use crate::live::{Follower, News};

/// How long a response may last. Who has followed for so long connects again, and shows again who it is.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long nothing may be sent: proxies close connections that are silent for a minute, some after half of one.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);
/// How much is sent at a time, at least while more is there.
const SENT_BYTES: usize = 64 * 1024;
/// How long a response that is sent as a whole waits for more after its first news.
const LINGER: Duration = Duration::from_millis(500);
/// How soon a client connects again after such a response.
const SOON: u64 = 250;

/// Streams one job to one client.
pub(super) struct Session {
    app: App,
    job: JobId,
    follower: Follower,
    types: Types,
    /// Whether the client has seen something of the stream before.
    resumes: bool,
    limits: Option<AnswerLimits>,
    until: Instant,
    sent: u64,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Nothing is sent.
    Begun,
    /// The state of the job is sent, which the client may know.
    Going,
    /// Something was sent that the client does not know.
    Told,
    /// Everything is sent.
    Over,
}

impl Session {
    /// Begins with what a follower is told; `resumes` says whether the client has seen something before.
    pub(super) fn new(app: &App, job: JobId, follower: Follower, types: Types, resumes: bool) -> Self {
        let limits = app.settings.answers;
        Self {
            app: app.clone(),
            job,
            follower,
            types,
            resumes,
            limits,
            until: Instant::now() + limits.map_or(LONGEST, |limits| limits.max_time),
            sent: 0,
            phase: Phase::Begun,
        }
    }

    /// Returns the body of the response.
    pub(super) fn stream(self) -> impl Stream<Item = Result<Bytes, StoreError>> {
        try_unfold(self, |mut session| async move {
            let chunk = session.next().await?;
            Ok(chunk.map(|chunk| (chunk, session)))
        })
    }

    /// Returns what is sent next; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let mut chunk = Vec::new();
        if self.phase == Phase::Begun {
            chunk.extend_from_slice(format!("retry: {}\n\n", self.pause()).as_bytes());
        }
        while chunk.is_empty() || self.phase == Phase::Begun {
            if self.phase == Phase::Over {
                return Ok(None);
            }
            self.wait(&mut chunk).await?;
        }
        while chunk.len() < SENT_BYTES
            && self.phase != Phase::Over
            && let Some(news) = self.follower.next().now_or_never()
        {
            self.write(&news?, &mut chunk);
        }
        self.sent += chunk.len() as u64;
        Ok(Some(chunk.into()))
    }

    /// Waits for what comes next, and writes it.
    async fn wait(&mut self, chunk: &mut Vec<u8>) -> Result<(), StoreError> {
        if self.limits.is_some_and(|limits| self.sent >= limits.max_bytes) {
            self.end(End::Reconnect, chunk);
            return Ok(());
        }
        let is_whole = self.limits.is_some_and(|limits| limits.is_whole);
        if is_whole && self.phase == Phase::Told {
            match timeout_at(self.until.min(Instant::now() + LINGER), self.follower.next()).await {
                Ok(news) => self.write(&news?, chunk),
                Err(_) => self.phase = Phase::Over,
            }
            return Ok(());
        }
        tokio::select! {
            news = self.follower.next() => self.write(&news?, chunk),
            () = self.app.followers.stopped() => self.end(End::Shutdown, chunk),
            () = sleep_until(self.until) => self.end(End::Reconnect, chunk),
            () = sleep(LONGEST_SILENCE) => chunk.extend_from_slice(b":\n\n"),
        }
        Ok(())
    }

    fn write(&mut self, news: &News, chunk: &mut Vec<u8>) {
        match news {
            News::Piece(piece) => {
                self.phase = Phase::Told;
                let message = piece.message(of_piece);
                self.add(&self.follower.place().cursor(self.job), &message, chunk);
            }
            News::State(state, before) => {
                self.phase = match self.phase {
                    Phase::Begun if self.resumes => Phase::Going,
                    _ => Phase::Told,
                };
                let before = before.as_ref();
                let cursor = self.follower.place().cursor(self.job);
                let is_new = before.is_none_or(|before| before.status != state.status);
                if is_new && self.types.has(MessageType::Status) {
                    self.add(&cursor, &of_json("status", &state.status), chunk);
                }
                let is_new = before.is_none_or(|before| before.progress != state.progress);
                if let Some(progress) = &state.progress
                    && is_new
                    && self.types.has(MessageType::Progress)
                {
                    self.add(&cursor, &of_json("progress", progress), chunk);
                }
            }
            News::End => {
                let end = match self.follower.is_of_one_attempt() {
                    true => End::AttemptEnded,
                    false => End::Ended,
                };
                self.end(end, chunk);
            }
        }
    }

    fn end(&mut self, end: End, chunk: &mut Vec<u8>) {
        let place = self.follower.place();
        let cursor = match end {
            End::Ended | End::AttemptEnded => place.end_cursor(self.job),
            End::Reconnect | End::Shutdown => place.cursor(self.job),
        };
        self.add(&cursor, &of_end(end), chunk);
        self.phase = Phase::Over;
    }

    fn add(&self, id: &str, message: &[u8], chunk: &mut Vec<u8>) {
        chunk.extend_from_slice(b"id: ");
        chunk.extend_from_slice(id.as_bytes());
        chunk.push(b'\n');
        chunk.extend_from_slice(message);
    }

    /// Returns after how many milliseconds a client connects again, so that not all do so at once.
    fn pause(&self) -> u64 {
        match self.limits {
            Some(limits) if limits.is_whole => SOON,
            _ => 2000 + 8 * u64::from(Uuid::now_v7().as_bytes()[15]),
        }
    }
}
