//! What AWS answers when it cannot or will not, told apart.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::ensure;
use callboard_aws::{S3LogStore, SqsQueue};
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::JobQueue;
use callboard_core::output::{LogKey, LogStore, Manifest, Stream};
use callboard_testkit::contract::log_store::first;
use callboard_testkit::contract::samples::ticket;

use crate::fake::{Answer, Fake};

/// As often as the SDK asks before it gives up.
const ATTEMPTS: usize = 4;

#[tokio::test]
async fn what_may_pass_is_tried_again_and_then_unavailable() -> anyhow::Result<()> {
    for fault in [
        || s3_error(503, "SlowDown"),
        || s3_error(500, "InternalError"),
        || s3_error(400, "RequestTimeout"),
        || Answer::Whole(502, "<html>".to_owned()),
        || Answer::Silence,
        || Answer::Close,
    ] {
        let (error, asked) = append_to(fault).await?;
        ensure!(matches!(error, Some(StoreError::Unavailable(_))), "{error:?}");
        assert_eq!(asked, ATTEMPTS, "{error:?}");
    }
    for code in ["ThrottlingException", "RequestThrottled", "KmsThrottled"] {
        let (error, _asked) = send_to(code).await?;
        ensure!(matches!(error, Some(StoreError::Unavailable(_))), "{code}: {error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_will_not_pass_is_rejected_at_once() -> anyhow::Result<()> {
    for fault in [|| s3_error(403, "AccessDenied"), || s3_error(404, "NoSuchBucket")] {
        let (error, asked) = append_to(fault).await?;
        ensure!(matches!(error, Some(StoreError::Rejected(_))), "{error:?}");
        assert_eq!(asked, 1, "{error:?}");
    }
    for code in ["QueueDoesNotExist", "AccessDeniedException", "InvalidMessageContents"] {
        let (error, asked) = send_to(code).await?;
        ensure!(matches!(error, Some(StoreError::Rejected(_))), "{code}: {error:?}");
        assert_eq!(asked, 1, "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_repeated_as_it_was() -> anyhow::Result<()> {
    let fake = Fake::start(|_, before| match before {
        0 => Answer::Close,
        1 => s3_error(503, "SlowDown"),
        _ => Answer::Whole(200, String::new()),
    })
    .await?;
    let logs = S3LogStore::new(&fake.config().await, "logs".to_owned());
    logs.append(key().job, 1, &first("hello\n")).await?;
    let requests = fake.requests();
    ensure!(
        requests.len() == 3 && requests.iter().all(|request| *request == requests[0]),
        "{requests:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_read_that_breaks_off_is_repeated_and_unavailable_if_it_goes_on() -> anyhow::Result<()> {
    for (breaks, unavailable) in [(2, false), (u32::MAX, true)] {
        let (key, reads) = (key(), AtomicU32::new(0));
        let fake = Fake::start(move |request, _| {
            if let Some(list) = list_of(key, request, 10) {
                return list;
            }
            match reads.fetch_add(1, Ordering::Relaxed) >= breaks {
                true => Answer::Whole(200, "0123456789".to_owned()),
                false => Answer::Cut("01234".to_owned()),
            }
        })
        .await?;
        let logs = S3LogStore::new(&fake.config().await, "logs".to_owned());
        assert_eq!(logs.size(key).await?, 10);
        match logs.read(key, 0..10).await {
            Ok(read) => ensure!(!unavailable && read == "0123456789", "{read:?}"),
            Err(error) => ensure!(unavailable && matches!(error, StoreError::Unavailable(_)), "{error:?}"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_upload_that_fails_is_aborted_and_the_attempt_is_sealed_all_the_same() -> anyhow::Result<()> {
    let key = key();
    let fake = Fake::start(move |request, _| match list_of(key, request, 9 << 20) {
        Some(list) => list,
        None if request.starts_with("post") => created(),
        None if request.starts_with("delete") => Answer::Whole(204, String::new()),
        None if request.contains("manifest") => Answer::Whole(200, String::new()),
        None => s3_error(503, "SlowDown"),
    })
    .await?;
    let logs = S3LogStore::new(&fake.config().await, "logs".to_owned());
    let manifest = Manifest {
        segments: 1,
        ..Manifest::default()
    };
    logs.seal(key.job, 1, &manifest).await?;
    let requests = fake.requests();
    let last = requests.last().map_or("", String::as_str);
    ensure!(
        last.starts_with("delete") && last.contains("uploadid=u1"),
        "{requests:?}"
    );
    ensure!(
        requests.iter().any(|request| request.contains("manifest")),
        "{requests:?}"
    );
    Ok(())
}

async fn append_to(fault: fn() -> Answer) -> anyhow::Result<(Option<StoreError>, usize)> {
    let fake = Fake::start(move |_, _| fault()).await?;
    let logs = S3LogStore::new(&fake.config().await, "logs".to_owned());
    let error = logs.append(key().job, 1, &first("hello\n")).await.err();
    Ok((error, fake.requests().len()))
}

async fn send_to(code: &'static str) -> anyhow::Result<(Option<StoreError>, usize)> {
    let fake = Fake::start(move |_, _| Answer::Whole(400, format!(r#"{{"__type":"{code}"}}"#))).await?;
    let queue = SqsQueue::new(
        &fake.config().await,
        "http://sqs/jobs".to_owned(),
        "http://sqs/calls".to_owned(),
    );
    let error = queue.send(&ticket(JobId::new()), Duration::ZERO).await.err();
    Ok((error, fake.requests().len()))
}

fn key() -> LogKey {
    LogKey {
        job: JobId::new(),
        attempt: 1,
        stream: Stream::Stdout,
    }
}

fn s3_error(status: u16, code: &str) -> Answer {
    Answer::Whole(
        status,
        format!("<Error><Code>{code}</Code><Message>Because.</Message></Error>"),
    )
}

/// Answers a list with one segment, which has so much of `Stdout`.
fn list_of(key: LogKey, request: &str, bytes: u64) -> Option<Answer> {
    let hash = "0".repeat(64);
    let name = format!("logs/{}/1/00000001-0.{bytes}-0.0-0.0-{hash}", key.job);
    let list =
        format!("<ListBucketResult><Contents><Key>{name}</Key><Size>{bytes}</Size></Contents></ListBucketResult>");
    request.contains("list-type=2").then_some(Answer::Whole(200, list))
}

fn created() -> Answer {
    let id = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
    Answer::Whole(200, id.to_owned())
}
