use std::time::Duration;

use callboard_core::id::JobId;
use callboard_core::ports::{Chunk, LogKey, LogStore, Manifest, Stream};

use super::append;
use crate::contract::samples::refused;

/// No stream shows what another one, another attempt or another job has.
pub async fn streams_attempts_and_jobs_are_separate(store: &dyn LogStore) -> anyhow::Result<()> {
    let keys = keys([JobId::new(), JobId::new()]);
    for key in &keys {
        append(store, *key, 0, format!("{key:?}").as_bytes()).await?;
    }
    for key in &keys {
        assert_eq!(store.read(*key, 0..1000).await?, format!("{key:?}"));
    }
    Ok(())
}

/// One append may grow several streams; some may have nothing new, or nothing at all.
pub async fn one_append_grows_several_streams(store: &dyn LogStore) -> anyhow::Result<()> {
    let job = JobId::new();
    let appends: [&[(Stream, u64, &str)]; 4] = [
        &[(Stream::Stdout, 0, "hello\n")],
        &[(Stream::Events, 0, "{}\n"), (Stream::EventIndex, 0, "\x03")],
        &[(Stream::Stdout, 6, "world\n"), (Stream::Events, 3, "")],
        &[
            (Stream::Stdout, 12, "!"),
            (Stream::Events, 3, "[]\n"),
            (Stream::EventIndex, 1, "\x06"),
        ],
    ];
    for chunks in appends {
        for _ in 0..2 {
            store
                .append(job, 1, &chunks.iter().map(chunk).collect::<Vec<_>>())
                .await?;
        }
    }
    for (stream, expected) in Stream::ALL.into_iter().zip(["hello\nworld\n!", "{}\n[]\n", "\x03\x06"]) {
        let key = LogKey {
            job,
            attempt: 1,
            stream,
        };
        assert_eq!(store.read(key, 0..100).await?, expected);
        assert_eq!(store.size(key).await?, expected.len() as u64);
    }
    Ok(())
}

/// A gap in one stream keeps the others from growing, too.
pub async fn a_gap_in_one_stream_refuses_the_whole_append(store: &dyn LogStore) -> anyhow::Result<()> {
    let job = JobId::new();
    let chunks = [(Stream::Stdout, 0, "hello\n"), (Stream::Events, 1, "{}\n")];
    refused(
        store
            .append(job, 1, &chunks.iter().map(chunk).collect::<Vec<_>>())
            .await,
    )?;
    for stream in Stream::ALL {
        assert_eq!(
            store
                .size(LogKey {
                    job,
                    attempt: 1,
                    stream
                })
                .await?,
            0
        );
    }
    Ok(())
}

/// A URL is for output that is too large to be passed on; there is none while it grows.
pub async fn little_output_needs_no_url(store: &dyn LogStore) -> anyhow::Result<()> {
    let key = LogKey {
        job: JobId::new(),
        attempt: 1,
        stream: Stream::Stdout,
    };
    let minute = Duration::from_secs(60);
    assert_eq!(store.presign(key, minute).await?, None);
    append(store, key, 0, "hello\n").await?;
    assert_eq!(store.presign(key, minute).await?, None);
    store.seal(key.job, key.attempt, &manifest()).await?;
    assert_eq!(store.presign(key, minute).await?, None);
    Ok(())
}

/// A manifest is there once its attempt is sealed, reads back as written, and may be written again.
pub async fn an_attempt_is_sealed_with_its_manifest(store: &dyn LogStore) -> anyhow::Result<()> {
    let (job, other) = (JobId::new(), JobId::new());
    let manifest = manifest();
    let key = LogKey {
        job,
        attempt: 1,
        stream: Stream::Stdout,
    };
    append(store, key, 0, "hello\n").await?;
    assert_eq!(store.manifest(job, 1).await?, None);
    for _ in 0..2 {
        store.seal(job, 1, &manifest).await?;
        assert_eq!(store.manifest(job, 1).await?, Some(manifest.clone()));
    }
    assert_eq!(store.read(key, 0..100).await?, "hello\n");
    assert_eq!(store.manifest(job, 2).await?, None);
    assert_eq!(store.manifest(other, 1).await?, None);
    store.seal(other, 1, &Manifest::default()).await?;
    assert_eq!(store.manifest(other, 1).await?, Some(Manifest::default()));
    Ok(())
}

/// Every stream and manifest of a job goes, of every attempt; other jobs keep theirs.
pub async fn removing_a_job_forgets_all_of_it(store: &dyn LogStore) -> anyhow::Result<()> {
    let (gone, kept) = (JobId::new(), JobId::new());
    for key in keys([gone, kept]) {
        append(store, key, 0, "x").await?;
        store.seal(key.job, key.attempt, &manifest()).await?;
    }
    for _ in 0..2 {
        store.remove(gone).await?;
        for key in keys([gone, kept]) {
            assert_eq!(store.size(key).await?, u64::from(key.job == kept));
            let manifest = store.manifest(key.job, key.attempt).await?;
            assert_eq!(manifest.is_some(), key.job == kept);
        }
    }
    Ok(())
}

fn chunk((stream, offset, text): &(Stream, u64, &'static str)) -> Chunk {
    Chunk {
        stream: *stream,
        offset: *offset,
        bytes: (*text).into(),
    }
}

fn keys(jobs: [JobId; 2]) -> Vec<LogKey> {
    let attempts = jobs
        .into_iter()
        .flat_map(|job| [1, 2, 12].map(|attempt| (job, attempt)));
    let streams = |(job, attempt)| Stream::ALL.map(|stream| LogKey { job, attempt, stream });
    attempts.flat_map(streams).collect()
}

fn manifest() -> Manifest {
    Manifest {
        stdout_bytes: 6,
        stdout_sha256: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03".to_owned(),
        events_bytes: u64::MAX,
        events_sha256: String::new(),
        events: 3,
        complete: true,
    }
}
