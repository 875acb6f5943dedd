//! S3: what many, large and sealed objects make of the log store.

use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_aws::S3LogStore;
use callboard_core::base::id::JobId;
use callboard_core::output::{LogKey, LogStore, Manifest, Stream};
use callboard_testkit::aws::Resources;
use callboard_testkit::contract::log_store::{Writer, append};
use callboard_testkit::contract::samples::refused;

const MINUTE: Duration = Duration::from_secs(60);
const MIB: usize = 1024 * 1024;

pub(crate) async fn make() -> anyhow::Result<(S3LogStore, Resources)> {
    let resources = Resources::create().await?;
    Ok((another(&resources), resources))
}

/// Makes a store that knows nothing of what another one did.
fn another(resources: &Resources) -> S3LogStore {
    S3LogStore::new(&resources.config, resources.bucket.clone())
}

#[tokio::test]
async fn an_attempt_of_more_segments_than_a_list_has_is_whole() -> anyhow::Result<()> {
    let (logs, resources) = make().await?;
    let (key, mut expected, mut writer) = (key(Stream::Stdout), Vec::new(), Writer::default());
    for line in 0..1_050 {
        let line = format!("{line}\n");
        let segment = writer.next([line.as_bytes(), b"", b""]);
        logs.append(key.job, key.attempt, &segment).await?;
        expected.extend_from_slice(line.as_bytes());
    }
    let reader = another(&resources);
    assert_eq!(reader.size(key).await?, expected.len() as u64);
    ensure!(reader.read(key, 0..u64::MAX).await? == expected, "the segments differ");
    refused(append(&reader, key, expected.len() as u64 + 1, "x").await)?;
    let manifest = Manifest {
        segments: 1_050,
        ..Manifest::default()
    };
    reader.seal(key.job, key.attempt, &manifest).await?;
    ensure!(reader.read(key, 0..u64::MAX).await? == expected, "the whole differs");
    assert_eq!(reader.presign(key, MINUTE).await?, None);
    reader.remove(key.job).await?;
    assert_eq!(reader.size(key).await?, 0);
    Ok(())
}

#[tokio::test]
async fn large_output_is_read_from_a_url_once_it_is_sealed() -> anyhow::Result<()> {
    let (logs, resources) = make().await?;
    let (key, content) = (key(Stream::Stdout), pattern(20 * MIB + 7));
    for (part, bytes) in content.chunks(MIB).enumerate() {
        append(&logs, key, (part * MIB) as u64, bytes).await?;
    }
    assert_eq!(logs.presign(key, MINUTE).await?, None);
    let manifest = Manifest {
        stdout_bytes: content.len() as u64,
        segments: 21,
        ..Manifest::default()
    };
    for _ in 0..2 {
        logs.seal(key.job, key.attempt, &manifest).await?;
    }
    let url = logs.presign(key, MINUTE).await?.context("a URL")?;
    ensure!(
        url.contains("X-Amz-SignedHeaders=host&"),
        "{url} needs more than itself"
    );
    let answer = callboard_testkit::http::client()
        .get(&url)
        .send()
        .await?
        .error_for_status()?;
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    ensure!(answer.bytes().await? == content, "the URL gives something else");
    let reader = another(&resources);
    let tail = reader.tail(key, 10).await?;
    assert_eq!(
        (&tail.bytes[..], tail.size),
        (&content[content.len() - 10..], content.len() as u64)
    );
    let url = reader.presign(key, MINUTE * 60 * 24 * 8).await;
    ensure!(
        url.is_err_and(|error| !error.is_retryable()),
        "S3 signs for a week at most"
    );
    Ok(())
}

#[tokio::test]
async fn streams_that_were_written_together_are_the_same_when_they_are_sealed() -> anyhow::Result<()> {
    let (logs, resources) = make().await?;
    let (job, mut written, mut writer) = (JobId::new(), [const { Vec::new() }; 3], Writer::default());
    for number in 0..20_usize {
        let mut parts = Vec::new();
        for (stream, written) in Stream::ALL.into_iter().zip(&mut written) {
            let bytes = pattern(number % (stream as usize + 2) * 5);
            written.extend_from_slice(&bytes);
            parts.push(bytes);
        }
        logs.append(job, 1, &writer.next([&parts[0], &parts[1], &parts[2]]))
            .await?;
    }
    let reader = another(&resources);
    for _ in 0..2 {
        for (stream, written) in Stream::ALL.into_iter().zip(&written) {
            let key = LogKey {
                job,
                attempt: 1,
                stream,
            };
            assert_eq!(reader.read(key, 0..u64::MAX).await?, *written);
            assert_eq!(reader.read(key, 7..41).await?, written[7..41]);
        }
        let manifest = Manifest {
            segments: 20,
            ..Manifest::default()
        };
        logs.seal(job, 1, &manifest).await?;
    }
    Ok(())
}

fn key(stream: Stream) -> LogKey {
    LogKey {
        job: JobId::new(),
        attempt: 1,
        stream,
    }
}

fn pattern(length: usize) -> Vec<u8> {
    let words = (0_u32..).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(length).collect()
}
