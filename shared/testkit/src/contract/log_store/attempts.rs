use std::time::Duration;

use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::{LogKey, LogStore, Manifest, Segment, Stream};

use super::{Writer, append};
use crate::contract::samples::refused;

/// A stream shows nothing from other streams, other attempts or other jobs.
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

/// One append may grow several streams; some may have nothing new, or still be empty.
pub async fn one_append_grows_several_streams(store: &dyn LogStore) -> anyhow::Result<()> {
    let job = JobId::new();
    let mut writer = Writer::default();
    let appends: [[&[u8]; 3]; 4] = [
        [b"hello\n", b"", b""],
        [b"", b"{}\n", b"\x03"],
        [b"world\n", b"", b""],
        [b"!", b"[]\n", b"\x06"],
    ];
    for parts in appends {
        let segment = writer.next(parts);
        for _ in 0..2 {
            store.append(job, 1, &segment).await?;
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

/// A gap in one stream also keeps the other streams from growing.
pub async fn a_gap_in_one_stream_refuses_the_whole_append(store: &dyn LogStore) -> anyhow::Result<()> {
    let job = JobId::new();
    let segment = Segment::new(1, [0, 1, 0], [b"hello\n", b"{}\n", b""]);
    refused(store.append(job, 1, &segment).await)?;
    let second = Segment::new(2, [0, 0, 0], [b"hello\n", b"", b""]);
    refused(store.append(job, 1, &second).await)?;
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

/// A URL is only for output that is too large to be passed on, and there is none while the output grows.
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

/// A manifest exists once its attempt is sealed and reads back as written. Writing it again is allowed and changes nothing.
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

/// Nobody reads what a worker writes after it has lost its job, and the first manifest is kept.
pub async fn a_sealed_attempt_grows_no_more(store: &dyn LogStore) -> anyhow::Result<()> {
    let (job, mut writer) = (JobId::new(), Writer::default());
    let key = LogKey {
        job,
        attempt: 1,
        stream: Stream::Stdout,
    };
    store.append(job, 1, &writer.next([b"hello\n", b"", b""])).await?;
    let sealed = Manifest {
        stdout_bytes: 6,
        segments: 1,
        ..Manifest::default()
    };
    store.seal(job, 1, &sealed).await?;
    match store.append(job, 1, &writer.next([b"late", b"", b""])).await {
        Ok(()) | Err(StoreError::Conflict) => {}
        Err(other) => return Err(other.into()),
    }
    store.seal(job, 1, &manifest()).await?;
    assert_eq!(store.manifest(job, 1).await?, Some(sealed));
    assert_eq!((store.size(key).await?, store.segments(job, 1).await?.len()), (6, 1));
    assert_eq!(store.read(key, 0..100).await?, "hello\n");
    Ok(())
}

/// A number identifies exactly one segment.
pub async fn another_segment_under_a_number_is_refused(store: &dyn LogStore) -> anyhow::Result<()> {
    let (job, mut one, mut other) = (JobId::new(), Writer::default(), Writer::default());
    store.append(job, 1, &one.next([b"one", b"", b""])).await?;
    refused(store.append(job, 1, &other.next([b"two", b"", b""])).await)?;
    store.append(job, 1, &one.next([b"!", b"", b""])).await?;
    assert_eq!(store.segments(job, 1).await?.len(), 2);
    Ok(())
}

/// Segments are listed with the places and hashes that were written.
pub async fn segments_are_listed_as_they_were_written(store: &dyn LogStore) -> anyhow::Result<()> {
    let (job, mut writer) = (JobId::new(), Writer::default());
    assert_eq!(store.segments(job, 1).await?, []);
    let mut heads = Vec::new();
    for number in 0..12 {
        let line = format!("{number}\n");
        let segment = writer.next([line.as_bytes(), b"{}\n", b"12345678"]);
        store.append(job, 1, &segment).await?;
        heads.push(segment.head);
    }
    assert_eq!(store.segments(job, 1).await?, heads);
    Ok(())
}

/// Removing a job deletes every stream and manifest of every attempt; other jobs keep theirs.
pub async fn removing_a_job_forgets_all_of_it(store: &dyn LogStore) -> anyhow::Result<()> {
    let (gone, kept) = (JobId::new(), JobId::new());
    for key in keys([gone, kept]) {
        append(store, key, 0, "x").await?;
    }
    for key in keys([gone, kept]) {
        let manifest = Manifest {
            segments: 3,
            stdout_bytes: 1,
            events_bytes: 1,
            events: 1,
            ..manifest()
        };
        store.seal(key.job, key.attempt, &manifest).await?;
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
        stdout_sha256: Some("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03".to_owned()),
        events_bytes: u64::MAX,
        events_sha256: None,
        events: 3,
        segments: 1,
        segments_sha256: "of a name".to_owned(),
        complete: true,
        truncated: false,
    }
}
