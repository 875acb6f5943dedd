//! Ports that fail on demand, wrapped around real adapters.

use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use callboard_core::base::id::{JobId, LeaseToken, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{
    Attempt, BlockedOn, CancelRequest, DeadLetter, DueJob, HistoryPage, HistoryQuery, Job, JobQueue, JobStore, Lease,
    Neglected, Outcome, Progress, Redrive, Slot, SlotInUse, SlotStore, Ticket,
};
use callboard_core::output::{LogKey, LogStore, Manifest, Segment, SegmentHead};
use callboard_core::request::Lane;
use callboard_core::submit::{IdempotencyKey, IdempotencyStore, Reservation};
use tokio::sync::Notify;

/// The calls that change nothing.
const READS: [&str; 15] = [
    "store.get",
    "store.list",
    "store.running",
    "store.due",
    "store.queued",
    "store.pending_since",
    "store.waiting",
    "store.neglected",
    "slots.jobs",
    "slots.in_use",
    "queue.is_longer_than",
    "log.segments",
    "log.read",
    "log.size",
    "log.manifest",
];
/// How long a call takes that runs into its time limit.
const TIME_LIMIT: Duration = Duration::from_millis(15);

/// The fault that a call of a port meets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// No fault.
    None,
    /// The call fails without any effect, as when the other side is down or throttles.
    Down,
    /// The call has its effect, but its answer is lost.
    Mute,
    /// The call runs into its time limit without any effect.
    TimedOut,
    /// The call has its effect, but its answer comes too late.
    TooLate,
    /// The call has its effect twice, as when a client library repeats a call whose answer was lost.
    Twice,
    /// The call takes this long, and succeeds.
    Slow(Duration),
    /// The caller is killed before the effect: the call never returns.
    KilledBefore,
    /// The caller is killed after the effect.
    KilledAfter,
}

impl Fault {
    /// Every fault except `None` and `Slow`: first those that the caller survives, then those that kill it.
    pub const ALL: [Self; 7] = [
        Self::Down,
        Self::Mute,
        Self::TimedOut,
        Self::TooLate,
        Self::Twice,
        Self::KilledBefore,
        Self::KilledAfter,
    ];

    /// Returns whether the fault kills the caller.
    #[must_use]
    pub fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }
}

/// Decides which calls fail, and counts them. Clones share the same state.
#[derive(Clone, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Default)]
struct Shared {
    plan: Mutex<Plan>,
    only_writes: AtomicBool,
    calls: Mutex<Vec<&'static str>>,
    struck: AtomicU32,
    killed: Notify,
}

#[derive(Clone, Copy, Default)]
enum Plan {
    #[default]
    Never,
    /// The given number of next calls whose name starts with the text.
    Next(&'static str, Fault, u32),
    /// The call with this number, counted over all calls.
    Call(usize, Fault),
}

impl Faults {
    /// Makes the next `times` calls fail whose name starts with `of`: `log.append`, or `log.` for any call of a log store.
    #[must_use]
    pub fn next(of: &'static str, fault: Fault, times: u32) -> Self {
        let faults = Self::default();
        faults.set(of, fault, times);
        faults
    }

    /// Makes a single call fail; the first call is number 0.
    #[must_use]
    pub fn call(number: usize, fault: Fault) -> Self {
        let faults = Self::default();
        faults.plan(Plan::Call(number, fault));
        faults
    }

    /// Exempts calls that only read.
    #[must_use]
    pub fn only_writes(&self) -> &Self {
        self.0.only_writes.store(true, Ordering::SeqCst);
        self
    }

    /// Replaces the plan: which calls fail from now on.
    pub fn set(&self, of: &'static str, fault: Fault, times: u32) {
        self.plan(Plan::Next(of, fault, times));
    }

    /// Stops all faults.
    pub fn mend(&self) {
        self.plan(Plan::Never);
    }

    /// Returns how many calls have met a fault so far.
    #[must_use]
    pub fn struck(&self) -> u32 {
        self.0.struck.load(Ordering::SeqCst)
    }

    /// Returns the names of all calls so far, such as `store.claim`.
    #[must_use]
    pub fn calls(&self) -> Vec<&'static str> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether the planned fault kills the caller.
    #[must_use]
    pub fn kills(&self) -> bool {
        let plan = self.0.plan.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*plan, Plan::Call(_, fault) | Plan::Next(_, fault, _) if fault.kills())
    }

    /// Waits until `count` more calls have met a fault.
    pub async fn wait_for(&self, count: u32) {
        let enough = self.struck() + count;
        while self.struck() < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until the caller has to be killed: drop its future then.
    pub async fn killed(&self) {
        self.0.killed.notified().await;
    }

    /// Wraps a job store so that its calls may fail.
    #[must_use]
    pub fn store(&self, inner: Arc<dyn JobStore>) -> Arc<dyn JobStore> {
        Arc::new(Faulty(inner, self.clone()))
    }

    /// Wraps a queue so that its calls may fail.
    #[must_use]
    pub fn queue(&self, inner: Arc<dyn JobQueue>) -> Arc<dyn JobQueue> {
        Arc::new(Faulty(inner, self.clone()))
    }

    /// Wraps a log store so that its calls may fail.
    #[must_use]
    pub fn logs(&self, inner: Arc<dyn LogStore>) -> Arc<dyn LogStore> {
        Arc::new(Faulty(inner, self.clone()))
    }

    /// Wraps a store of idempotency keys so that its calls may fail.
    #[must_use]
    pub fn keys(&self, inner: Arc<dyn IdempotencyStore>) -> Arc<dyn IdempotencyStore> {
        Arc::new(Faulty(inner, self.clone()))
    }

    /// Wraps a store of slots so that its calls may fail.
    #[must_use]
    pub fn slots(&self, inner: Arc<dyn SlotStore>) -> Arc<dyn SlotStore> {
        Arc::new(Faulty(inner, self.clone()))
    }

    fn plan(&self, plan: Plan) {
        *self.0.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    fn of(&self, name: &'static str) -> Fault {
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let number = calls.len();
        calls.push(name);
        let spared = READS.contains(&name) && self.0.only_writes.load(Ordering::SeqCst);
        let mut plan = self.0.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = match &mut *plan {
            Plan::Next(of, fault, times) if *times > 0 && name.starts_with(*of) && !spared => {
                *times -= 1;
                *fault
            }
            Plan::Call(at, fault) if *at == number => *fault,
            _ => Fault::None,
        };
        if fault != Fault::None {
            self.0.struck.fetch_add(1, Ordering::SeqCst);
        }
        fault
    }

    async fn make<T, F>(&self, name: &'static str, call: impl Fn() -> F + Send) -> Result<T, StoreError>
    where
        T: Send,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        match self.of(name) {
            Fault::None => call().await,
            Fault::Down => Err(unavailable()),
            Fault::Mute => call().await.and(Err(unavailable())),
            Fault::TimedOut => {
                tokio::time::sleep(TIME_LIMIT).await;
                Err(unavailable())
            }
            Fault::TooLate => {
                let done = call().await;
                tokio::time::sleep(TIME_LIMIT).await;
                done.and(Err(unavailable()))
            }
            Fault::Twice => {
                let first = call().await;
                let second = call().await;
                if first.is_err() { first } else { second }
            }
            Fault::Slow(span) => {
                tokio::time::sleep(span).await;
                call().await
            }
            Fault::KilledBefore => self.kill().await,
            Fault::KilledAfter => {
                drop(call().await);
                self.kill().await
            }
        }
    }

    async fn kill<T>(&self) -> T {
        self.0.killed.notify_one();
        std::future::pending().await
    }
}

/// Makes the error of an adapter that cannot be reached.
#[must_use]
pub fn unavailable() -> StoreError {
    StoreError::Unavailable("a test made it so".into())
}

struct Faulty<T: ?Sized>(Arc<T>, Faults);

#[async_trait]
impl JobStore for Faulty<dyn JobStore> {
    async fn create(&self, job: &Job) -> Result<(), StoreError> {
        self.1.make("store.create", || self.0.create(job)).await
    }

    async fn get(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError> {
        self.1.make("store.get", || self.0.get(id, now)).await
    }

    async fn list(&self, query: &HistoryQuery, now: Timestamp) -> Result<HistoryPage, StoreError> {
        self.1.make("store.list", || self.0.list(query, now)).await
    }

    async fn mark_dispatched(&self, id: JobId, due: Timestamp) -> Result<(), StoreError> {
        let call = || self.0.mark_dispatched(id, due);
        self.1.make("store.mark_dispatched", call).await
    }

    async fn claim(&self, id: JobId, lease: Lease, now: Timestamp) -> Result<Job, StoreError> {
        self.1.make("store.claim", || self.0.claim(id, lease, now)).await
    }

    async fn renew(
        &self,
        id: JobId,
        lease: Lease,
        news: Option<Progress>,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let call = || self.0.renew(id, lease, news.clone());
        self.1.make("store.renew", call).await
    }

    async fn seize(&self, id: JobId, silent: Lease, lease: Lease) -> Result<Job, StoreError> {
        self.1.make("store.seize", || self.0.seize(id, silent, lease)).await
    }

    async fn finish(
        &self,
        id: JobId,
        token: LeaseToken,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let call = || self.0.finish(id, token, outcome.clone(), now);
        self.1.make("store.finish", call).await
    }

    async fn release(
        &self,
        id: JobId,
        token: LeaseToken,
        ended: Attempt,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let call = || self.0.release(id, token, ended.clone(), due);
        self.1.make("store.release", call).await
    }

    async fn note_relaunch(&self, id: JobId, by: JobId) -> Result<(), StoreError> {
        self.1
            .make("store.note_relaunch", || self.0.note_relaunch(id, by))
            .await
    }

    async fn ended(&self, id: JobId) {
        self.0.ended(id).await;
    }

    async fn detach(
        &self,
        id: JobId,
        token: LeaseToken,
        detached: String,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        self.1
            .make("store.detach", || self.0.detach(id, token, detached.clone(), due))
            .await
    }

    async fn put_back(
        &self,
        id: JobId,
        token: LeaseToken,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        self.1.make("store.put_back", || self.0.put_back(id, token, due)).await
    }

    async fn request_cancel(&self, id: JobId, cancel: CancelRequest) -> Result<Job, StoreError> {
        let call = || self.0.request_cancel(id, cancel.clone());
        self.1.make("store.request_cancel", call).await
    }

    async fn abandon(&self, id: JobId, outcome: Outcome, now: Timestamp) -> Result<(), StoreError> {
        let call = || self.0.abandon(id, outcome.clone(), now);
        self.1.make("store.abandon", call).await
    }

    async fn block(&self, id: JobId, due: Timestamp, on: BlockedOn) -> Result<(), StoreError> {
        let call = || self.0.block(id, due, on.clone());
        self.1.make("store.block", call).await
    }

    async fn unblock(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError> {
        self.1.make("store.unblock", || self.0.unblock(id, now)).await
    }

    async fn waiting(&self, tenant: &Tenant, most: u32) -> Result<u32, StoreError> {
        self.1.make("store.waiting", || self.0.waiting(tenant, most)).await
    }

    async fn bury(&self, id: JobId, letter: DeadLetter) -> Result<(), StoreError> {
        self.1.make("store.bury", || self.0.bury(id, letter.clone())).await
    }

    async fn redrive(&self, id: JobId, redrive: Redrive) -> Result<Job, StoreError> {
        self.1
            .make("store.redrive", || self.0.redrive(id, redrive.clone()))
            .await
    }

    async fn running(&self, limit: u32) -> Result<Vec<(JobId, Lease)>, StoreError> {
        self.1.make("store.running", || self.0.running(limit)).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<DueJob>, StoreError> {
        self.1.make("store.due", || self.0.due(now, limit)).await
    }

    async fn queued(&self, lane: Lane, limit: u32) -> Result<Vec<Ticket>, StoreError> {
        self.1.make("store.queued", || self.0.queued(lane, limit)).await
    }

    async fn neglected(&self, before: Timestamp, most: u32) -> Result<Neglected, StoreError> {
        self.1.make("store.neglected", || self.0.neglected(before, most)).await
    }

    async fn pending_since(&self, before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let call = || self.0.pending_since(before, limit);
        self.1.make("store.pending_since", call).await
    }
}

#[async_trait]
impl JobQueue for Faulty<dyn JobQueue> {
    async fn send(&self, ticket: &Ticket, delay: Duration) -> Result<(), StoreError> {
        self.1.make("queue.send", || self.0.send(ticket, delay)).await
    }

    async fn is_longer_than(&self, limit: u32, lane: Option<Lane>) -> Result<bool, StoreError> {
        let call = || self.0.is_longer_than(limit, lane);
        self.1.make("queue.is_longer_than", call).await
    }
}

#[async_trait]
impl SlotStore for Faulty<dyn SlotStore> {
    async fn take(&self, slot: &Slot, places: u32, job: JobId) -> Result<Option<JobId>, StoreError> {
        self.1.make("slots.take", || self.0.take(slot, places, job)).await
    }

    async fn give_back(&self, slot: &Slot, job: JobId) -> Result<(), StoreError> {
        self.1.make("slots.give_back", || self.0.give_back(slot, job)).await
    }

    async fn promote(&self, slot: &Slot, places: u32) -> Result<Option<JobId>, StoreError> {
        self.1.make("slots.promote", || self.0.promote(slot, places)).await
    }

    async fn taken(&self, slot: &Slot) -> Result<u32, StoreError> {
        self.1.make("slots.taken", || self.0.taken(slot)).await
    }

    async fn jobs(&self, slot: &Slot, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.1.make("slots.jobs", || self.0.jobs(slot, limit)).await
    }

    async fn in_use(&self, limit: u32) -> Result<Vec<SlotInUse>, StoreError> {
        self.1.make("slots.in_use", || self.0.in_use(limit)).await
    }
}

#[async_trait]
impl LogStore for Faulty<dyn LogStore> {
    async fn append(&self, job: JobId, attempt: u32, segment: &Segment) -> Result<(), StoreError> {
        let call = || self.0.append(job, attempt, segment);
        self.1.make("log.append", call).await
    }

    async fn segments(&self, job: JobId, attempt: u32) -> Result<Vec<SegmentHead>, StoreError> {
        self.1.make("log.segments", || self.0.segments(job, attempt)).await
    }

    async fn read(&self, key: LogKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.1.make("log.read", || self.0.read(key, range.clone())).await
    }

    async fn size(&self, key: LogKey) -> Result<u64, StoreError> {
        self.1.make("log.size", || self.0.size(key)).await
    }

    async fn seal(&self, job: JobId, attempt: u32, manifest: &Manifest) -> Result<(), StoreError> {
        let call = || self.0.seal(job, attempt, manifest);
        self.1.make("log.seal", call).await
    }

    async fn manifest(&self, job: JobId, attempt: u32) -> Result<Option<Manifest>, StoreError> {
        self.1.make("log.manifest", || self.0.manifest(job, attempt)).await
    }

    fn grown(&self, job: JobId) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.grown(job)
    }

    async fn remove(&self, job: JobId) -> Result<(), StoreError> {
        self.1.make("log.remove", || self.0.remove(job)).await
    }
}

#[async_trait]
impl IdempotencyStore for Faulty<dyn IdempotencyStore> {
    async fn reserve(
        &self,
        tenant: &Tenant,
        key: &IdempotencyKey,
        reservation: &Reservation,
    ) -> Result<Reservation, StoreError> {
        let call = || self.0.reserve(tenant, key, reservation);
        self.1.make("keys.reserve", call).await
    }

    async fn settle(&self, tenant: &Tenant, key: &IdempotencyKey, job: JobId) -> Result<(), StoreError> {
        self.1.make("keys.settle", || self.0.settle(tenant, key, job)).await
    }

    async fn free(&self, tenant: &Tenant, key: &IdempotencyKey, job: JobId) -> Result<(), StoreError> {
        self.1.make("keys.free", || self.0.free(tenant, key, job)).await
    }
}
