//! Reads what a job has left, a page at a time.

use bytes::Bytes;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::Job;
use callboard_core::output::LogStore;

use super::piece::Piece;
use super::place::Place;
use super::selection::Selection;
use crate::attempt_log::AttemptLog;
use crate::tail::is_continuation;

/// How many bytes of output a page has, at most, and about as many of events.
const PAGE_BYTES: u64 = 64 * 1024;
/// How many events a page has, at most.
const PAGE_EVENTS: u64 = 200;

/// What follows a place.
pub(super) struct Page {
    pub(super) pieces: Vec<Piece>,
    /// The place after the pieces.
    pub(super) place: Place,
    pub(super) rest: Rest,
}

/// What comes after a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rest {
    /// Perhaps more, at once.
    More,
    /// Nothing yet.
    NothingYet,
    /// Nothing, ever.
    Nothing,
}

/// Reads a page of what is selected after a place. The job must have been read before: what its record says has ended
/// grows no more.
pub(super) async fn read(
    logs: &dyn LogStore,
    job: &Job,
    selection: Selection,
    mut place: Place,
) -> Result<Page, StoreError> {
    let attempt = place.attempt;
    if attempt > job.state.attempt {
        let rest = match job.state.status.is_final() {
            true => Rest::Nothing,
            false => Rest::NothingYet,
        };
        let pieces = Vec::new();
        return Ok(Page { pieces, place, rest });
    }
    let is_over = job.state.is_over(attempt);
    // the events first: what they tell of was printed before
    let log = AttemptLog {
        logs,
        job: job.id,
        attempt,
    };
    let (count, events, damaged) = match selection.events {
        true => {
            let count = log.events().await?;
            let last = count.min(place.event.saturating_add(PAGE_EVENTS));
            match log.read_events(place.event, last, PAGE_BYTES).await {
                Ok(events) => (count, events, false),
                // the output may be whole nonetheless
                Err(StoreError::Corrupt(_)) => (count, Vec::new(), true),
                Err(error) => return Err(error),
            }
        }
        false => (0, Vec::new(), false),
    };
    let output = match selection.output {
        true => {
            let range = place.byte..place.byte.saturating_add(PAGE_BYTES);
            log.read_output(range).await?
        }
        false => Bytes::new(),
    };
    let is_last = (output.len() as u64) < PAGE_BYTES;
    let output = match is_last && is_over {
        true => output,
        false => whole_characters(output),
    };

    let mut pieces = Vec::new();
    if !output.is_empty() {
        pieces.push(Piece::output(attempt, place.byte, output.clone()));
        place.byte += output.len() as u64;
    }
    for line in events {
        place.event += 1;
        pieces.push(Piece::event(attempt, place.event, line));
    }
    if damaged {
        let missing = count.saturating_sub(place.event);
        pieces.push(Piece::gap(attempt, format!("{missing} events, which are damaged")));
        place.event = count;
    }
    if !is_last || place.event < count {
        let rest = Rest::More;
        return Ok(Page { pieces, place, rest });
    }
    if !is_over {
        let rest = Rest::NothingYet;
        return Ok(Page { pieces, place, rest });
    }
    let missing = missing(logs, job, selection, place).await?;
    pieces.extend(missing.map(|missing| Piece::gap(attempt, missing)));
    let is_end = selection.attempt.is_some() || job.state.status.is_final() && attempt == job.state.attempt;
    if !is_end {
        place = Place::start(attempt + 1);
    }
    let rest = if is_end { Rest::Nothing } else { Rest::More };
    Ok(Page { pieces, place, rest })
}

/// Says what is missing at the end of an attempt: what was sealed and is gone, or what was seen and was lost with its machine.
async fn missing(
    logs: &dyn LogStore,
    job: &Job,
    selection: Selection,
    end: Place,
) -> Result<Option<String>, StoreError> {
    let Some(manifest) = logs.sound_manifest(job.id, end.attempt).await? else {
        return Ok(None);
    };
    let (bytes, events) = (manifest.stdout_bytes, manifest.events);
    if selection.output && end.byte > bytes || selection.events && end.event > events {
        let lost = format!("only {bytes} bytes of output and {events} events were kept of what the attempt had shown");
        return Ok(Some(lost));
    }
    let seen = selection.seen(end);
    let gone = manifest.missing_of_stdout(seen.byte);
    let gone = gone.or_else(|| manifest.missing_events(seen.event));
    Ok(gone.map(|gone| format!("only {gone}")))
}

/// Leaves out a character at the end of which only a part is there.
fn whole_characters(bytes: Bytes) -> Bytes {
    let begun = bytes.iter().rev().take(4).position(|byte| !is_continuation(*byte));
    let Some(back) = begun else { return bytes };
    let start = bytes.len() - 1 - back;
    let needed = match bytes[start] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    match back + 1 < needed {
        true => bytes.slice(..start),
        false => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_shown_when_all_of_it_is_there() {
        for (bytes, whole) in [
            (&b""[..], 0),
            (b"abc", 3),
            ("aü".as_bytes(), 3),
            (&"aü".as_bytes()[..2], 1),
            (&"a€".as_bytes()[..3], 1),
            (&"a🙂".as_bytes()[..4], 1),
            ("🙂".as_bytes(), 4),
            // not UTF-8
            (b"a\xff", 2),
            (b"\x80\x80\x80\x80\x80", 5),
        ] {
            assert_eq!(
                whole_characters(Bytes::copy_from_slice(bytes)).len(),
                whole,
                "{bytes:?}"
            );
        }
    }
}
