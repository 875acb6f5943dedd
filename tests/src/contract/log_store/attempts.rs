use bytes::Bytes;
use callboard_core::id::JobId;
use callboard_core::ports::{LogKey, LogStore, Manifest, Stream};

/// No stream shows what another one, another attempt or another job has.
pub async fn streams_attempts_and_jobs_are_separate(store: &dyn LogStore) -> anyhow::Result<()> {
    let keys = keys([JobId::new(), JobId::new()]);
    for key in &keys {
        store.append(*key, 0, Bytes::from(format!("{key:?}"))).await?;
    }
    for key in &keys {
        assert_eq!(store.read(*key, 0..1000).await?, format!("{key:?}"));
    }
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
    store.append(key, 0, Bytes::from_static(b"hello\n")).await?;
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
        store.append(key, 0, Bytes::from_static(b"x")).await?;
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
