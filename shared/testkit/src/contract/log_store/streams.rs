use anyhow::ensure;
use bytes::Bytes;
use callboard_core::base::id::JobId;
use callboard_core::output::{LogKey, LogStore, Stream};
use futures_util::future::try_join;

use super::append;
use crate::contract::samples::refused;

const CHUNK: usize = 256 * 1024;
const LARGE: usize = 8 * 1024 * 1024;

/// Chunks follow one another, whatever bytes they contain.
pub async fn what_is_appended_is_read(store: &dyn LogStore) -> anyhow::Result<()> {
    let key = stdout();
    let chunks: [&[u8]; 4] = [b"hello\n", b"\x00\xff\x1b[31m", b"", b"\r\nend"];
    let mut expected = Vec::new();
    for chunk in chunks {
        append(store, key, expected.len() as u64, chunk).await?;
        expected.extend_from_slice(chunk);
        assert_eq!(store.size(key).await?, expected.len() as u64);
        assert_eq!(store.read(key, 0..u64::MAX).await?, expected);
    }
    assert_eq!(store.read(key, 1..4).await?, "ell");
    assert_eq!(store.read(key, 4..8).await?, expected[4..8]);
    Ok(())
}

/// A stream that was never written is not an error: the job may not have printed anything yet.
pub async fn a_stream_that_was_never_written_is_empty(store: &dyn LogStore) -> anyhow::Result<()> {
    assert_eq!(store.size(stdout()).await?, 0);
    assert!(store.read(stdout(), 0..100).await?.is_empty());
    Ok(())
}

/// A range is cut at the end of the stream; a range that begins after the end is empty.
pub async fn what_lies_beyond_the_end_is_left_out(store: &dyn LogStore) -> anyhow::Result<()> {
    let key = stdout();
    append(store, key, 0, "0123456789").await?;
    assert_eq!(store.read(key, 8..12).await?, "89");
    for empty in [10..10, 10..20, 11..12, u64::MAX - 1..u64::MAX, 3..3] {
        let read = store.read(key, empty.clone()).await?;
        ensure!(read.is_empty(), "{empty:?} has {read:?}");
    }
    Ok(())
}

/// The end of a stream comes with the stream's size; a stream that is shorter than requested comes whole.
pub async fn the_end_of_a_stream_comes_with_its_size(store: &dyn LogStore) -> anyhow::Result<()> {
    let key = stdout();
    for (offset, more, end) in [(0, "", ""), (0, "012", "012"), (3, "34", "1234"), (5, "56789", "6789")] {
        append(store, key, offset, more).await?;
        let tail = store.tail(key, 4).await?;
        assert_eq!((tail.bytes, tail.size), (end.into(), offset + more.len() as u64));
    }
    Ok(())
}

/// A writer that got no answer writes again.
pub async fn appending_the_same_again_changes_nothing(store: &dyn LogStore) -> anyhow::Result<()> {
    let key = stdout();
    let chunks = [(0, "first "), (6, "second "), (13, "third")];
    for (offset, chunk) in chunks {
        for _ in 0..2 {
            append(store, key, offset, chunk).await?;
        }
    }
    assert_eq!(store.read(key, 0..100).await?, "first second third");
    assert_eq!(store.size(key).await?, 18);
    Ok(())
}

/// Nothing can be written beyond the end, neither in a new stream nor in one with content.
pub async fn a_gap_is_refused(store: &dyn LogStore) -> anyhow::Result<()> {
    let key = stdout();
    refused(append(store, key, 1, "x").await)?;
    assert_eq!(store.size(key).await?, 0);
    append(store, key, 0, "abc").await?;
    refused(append(store, key, 4, "x").await)?;
    assert_eq!(store.read(key, 0..100).await?, "abc");
    Ok(())
}

/// A reader that follows a growing stream sees its bytes in order, and finally all of them.
pub async fn a_stream_can_be_read_while_it_grows(store: &dyn LogStore) -> anyhow::Result<()> {
    let (key, content) = (stdout(), pattern(200_000));
    let (expected, count) = (content.clone(), content.len() as u64);
    let write = async {
        for start in (0..content.len()).step_by(7_000) {
            let end = content.len().min(start + 7_000);
            append(store, key, start as u64, &content[start..end]).await?;
        }
        anyhow::Ok(())
    };
    let read = async {
        let mut seen = Vec::new();
        while (seen.len() as u64) < count {
            let from = seen.len() as u64;
            seen.extend_from_slice(&store.read(key, from..from + 4_096).await?);
            ensure!(expected.starts_with(&seen), "a reader saw what was not written");
        }
        Ok(())
    };
    try_join(write, read).await.map(drop)
}

/// A stream of 8 MiB reads back whole, and in ranges that do not align with its chunks.
pub async fn a_large_stream_reads_back_by_ranges(store: &dyn LogStore) -> anyhow::Result<()> {
    let (key, content) = (stdout(), pattern(LARGE));
    for start in (0..LARGE).step_by(CHUNK) {
        append(store, key, start as u64, &content[start..start + CHUNK]).await?;
    }
    assert_eq!(store.size(key).await?, LARGE as u64);
    ensure!(store.read(key, 0..LARGE as u64).await? == content, "the whole differs");
    for start in (0..LARGE).step_by(1_000_003) {
        let end = LARGE.min(start + 1_000_003);
        let read = store.read(key, start as u64..end as u64).await?;
        ensure!(read == content.slice(start..end), "{start}..{end} differs");
    }
    Ok(())
}

fn stdout() -> LogKey {
    LogKey {
        job: JobId::new(),
        attempt: 1,
        stream: Stream::Stdout,
    }
}

/// Returns bytes without repeating parts.
fn pattern(length: usize) -> Bytes {
    let words = (0..length.div_ceil(4)).flat_map(|word| (word as u32).wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(length).collect::<Vec<u8>>().into()
}
