//! The behaviour of every [`JobQueue`], seen from both of its ends.

use std::collections::HashMap;
use std::time::Duration;

use super::samples::ticket;
use anyhow::ensure;
use async_trait::async_trait;
use callboard_core::base::id::JobId;
use callboard_core::job::{JobQueue, Ticket};
use callboard_core::request::Lane;
use futures_util::future::{join, try_join_all};

/// How long a test hides a received message, in whole seconds, because queues only support those.
pub const VISIBILITY: Duration = Duration::from_secs(2);
/// The lane of the messages, where a test names no other.
const LANE: Lane = Lane::Programs;
const NONE: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

/// A queue whose receiving end the test holds as well.
#[async_trait]
pub trait TestQueue: JobQueue {
    /// The handle that acknowledges a received message.
    type Receipt: Send + Sync;

    /// Receives a message of a lane that is visible now, and hides it for [`VISIBILITY`]; returns `None` if there is none.
    async fn receive(&self, lane: Lane) -> anyhow::Result<Option<(JobId, Self::Receipt)>>;

    /// Deletes a message.
    async fn acknowledge(&self, receipt: Self::Receipt) -> anyhow::Result<()>;

    /// Lets time pass for the queue: moves a fake clock or waits in real time, with a tolerance of up to 1.5 s.
    async fn pass(&self, span: Duration);
}

/// Expands into one test per behaviour; `$make` returns an empty queue and whatever must outlive it.
#[macro_export]
macro_rules! job_queue_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, job_queue, [
            an_empty_queue_gives_nothing,
            what_is_sent_is_received,
            a_delayed_message_comes_after_its_delay,
            a_received_message_is_hidden_and_comes_again,
            an_acknowledged_message_never_comes_again,
            an_id_sent_twice_comes_twice,
            older_messages_come_first_on_the_whole,
            two_receivers_never_hold_the_same_message,
            messages_sent_at_once_all_arrive,
            a_message_is_for_the_workers_of_its_lane,
            a_queue_is_longer_than_what_it_has_less_one,
        ] }
    };
}

/// There is nothing to receive if nothing was sent.
pub async fn an_empty_queue_gives_nothing<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    nothing(queue).await
}

/// A received message names the job that was sent.
pub async fn what_is_sent_is_received<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    let id = JobId::new();
    queue.send(&ticket(id), NONE).await?;
    let (received, _) = some(queue).await?;
    assert_eq!(received, id);
    Ok(())
}

/// A message is never given to the workers of another lane.
pub async fn a_message_is_for_the_workers_of_its_lane<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    let (program, call) = (JobId::new(), JobId::new());
    let for_calls = Ticket {
        lane: Lane::Calls,
        ..ticket(call)
    };
    queue.send(&for_calls, NONE).await?;
    nothing(queue).await?;
    queue.send(&ticket(program), NONE).await?;
    assert_eq!(some(queue).await?.0, program);
    nothing(queue).await?;
    let received = queue.receive(Lane::Calls).await?;
    assert_eq!(received.map(|(id, _)| id), Some(call));
    Ok(())
}

/// A delay hides a message from everyone, and later messages overtake it.
pub async fn a_delayed_message_comes_after_its_delay<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    let (late, prompt) = (JobId::new(), JobId::new());
    queue.send(&ticket(late), SECOND * 5).await?;
    queue.send(&ticket(prompt), NONE).await?;
    let (received, receipt) = some(queue).await?;
    assert_eq!(received, prompt);
    queue.acknowledge(receipt).await?;
    queue.pass(SECOND * 2).await;
    nothing(queue).await?;
    queue.pass(SECOND * 3).await;
    let (received, _) = some(queue).await?;
    assert_eq!(received, late);
    Ok(())
}

/// A message that is not acknowledged becomes visible again after the visibility timeout, and not before.
pub async fn a_received_message_is_hidden_and_comes_again<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    let id = JobId::new();
    queue.send(&ticket(id), NONE).await?;
    for _ in 0..3 {
        let (received, _unacknowledged) = some(queue).await?;
        assert_eq!(received, id);
        nothing(queue).await?;
        queue.pass(VISIBILITY).await;
    }
    Ok(())
}

/// An acknowledged message is gone for good; others stay.
pub async fn an_acknowledged_message_never_comes_again<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    let ids = [JobId::new(), JobId::new()];
    for id in ids {
        queue.send(&ticket(id), NONE).await?;
    }
    let (first, receipt) = some(queue).await?;
    queue.acknowledge(receipt).await?;
    let (second, _unacknowledged) = some(queue).await?;
    assert_ne!(first, second);
    queue.pass(VISIBILITY).await;
    let (again, receipt) = some(queue).await?;
    assert_eq!(again, second);
    queue.acknowledge(receipt).await?;
    queue.pass(VISIBILITY).await;
    nothing(queue).await
}

/// Two messages may name the same job, as after a sweep; each is acknowledged separately.
pub async fn an_id_sent_twice_comes_twice<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    let id = JobId::new();
    queue.send(&ticket(id), NONE).await?;
    queue.send(&ticket(id), NONE).await?;
    for _ in 0..2 {
        let (received, receipt) = some(queue).await?;
        assert_eq!(received, id);
        queue.acknowledge(receipt).await?;
    }
    nothing(queue).await
}

/// The exact order is not promised, but an old message does not wait behind all the new ones.
pub async fn older_messages_come_first_on_the_whole<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    let ids: Vec<JobId> = (0..20).map(|_| JobId::new()).collect();
    for id in &ids {
        queue.send(&ticket(*id), NONE).await?;
    }
    let received = drain(queue).await?;
    ensure!(received.len() == 20, "{} of 20 came", received.len());
    let early = received[..10].iter().filter(|id| ids[..10].contains(id)).count();
    ensure!(early >= 6, "of the ten that came first, {early} were sent first");
    Ok(())
}

/// Receivers that ask at the same time get different messages.
pub async fn two_receivers_never_hold_the_same_message<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    let sent = send_at_once(queue, 40).await?;
    let (one, other) = join(drain(queue), drain(queue)).await;
    let mut received = HashMap::new();
    for id in one?.into_iter().chain(other?) {
        *received.entry(id).or_insert(0) += 1;
    }
    ensure!(received.values().all(|times| *times == 1), "{received:?}");
    ensure!(sent.iter().all(|id| received.contains_key(id)), "a message was lost");
    Ok(())
}

/// No message is lost when many are sent at the same time.
pub async fn messages_sent_at_once_all_arrive<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    let mut sent = send_at_once(queue, 100).await?;
    let mut received = drain(queue).await?;
    sent.sort();
    received.sort();
    assert_eq!(received, sent);
    Ok(())
}

/// The length of a queue may be inexact or out of date, but an empty queue is not long, and a long one is not empty.
pub async fn a_queue_is_longer_than_what_it_has_less_one<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    send_at_once(queue, 3).await?;
    queue.pass(SECOND).await;
    for lane in [None, Some(LANE)] {
        assert!(queue.is_longer_than(0, lane).await?);
        assert!(!queue.is_longer_than(1000, lane).await?);
    }
    assert!(!queue.is_longer_than(0, Some(Lane::Calls)).await?);
    Ok(())
}

async fn send_at_once<Q: TestQueue>(queue: &Q, count: usize) -> anyhow::Result<Vec<JobId>> {
    let ids: Vec<JobId> = (0..count).map(|_| JobId::new()).collect();
    try_join_all(ids.iter().map(async |id| queue.send(&ticket(*id), NONE).await)).await?;
    Ok(ids)
}

/// Receives and acknowledges messages until none are left.
async fn drain<Q: TestQueue>(queue: &Q) -> anyhow::Result<Vec<JobId>> {
    let mut received = Vec::new();
    while let Some((id, receipt)) = queue.receive(LANE).await? {
        received.push(id);
        queue.acknowledge(receipt).await?;
    }
    Ok(received)
}

async fn some<Q: TestQueue>(queue: &Q) -> anyhow::Result<(JobId, Q::Receipt)> {
    let received = queue.receive(LANE).await?;
    received.ok_or_else(|| anyhow::anyhow!("there is no message to receive"))
}

async fn nothing<Q: TestQueue>(queue: &Q) -> anyhow::Result<()> {
    let received = queue.receive(LANE).await?.map(|(id, _)| id);
    ensure!(received.is_none(), "a message came too early: {received:?}");
    Ok(())
}
