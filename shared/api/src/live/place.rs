//! A place in what a job leaves, and the cursors that name it.

use callboard_core::base::id::JobId;
use callboard_core::job::Job;

use super::piece::{Part, Piece};
use crate::params::Params;
use crate::problem::Problem;

/// What is wrong with a text that is no cursor.
pub(crate) const NOT_A_CURSOR: &str = "is not a cursor of this job, as the ids of its stream's messages and its pages of events are; leave it out to begin anew";

/// What a cursor of the end of a stream has in addition.
const END: &str = "-end";

/// A place in what a job leaves: what has been seen of an attempt, and all attempts before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// The attempt, from 1.
    pub(crate) attempt: u32,
    /// The counter of its last event that was seen.
    pub(crate) event: u64,
    /// How many bytes of its output were seen.
    pub(crate) byte: u64,
}

impl Place {
    /// Returns the beginning of an attempt.
    pub(crate) fn start(attempt: u32) -> Self {
        Self {
            attempt: attempt.max(1),
            event: 0,
            byte: 0,
        }
    }

    /// Returns whether everything before another place is before this one, too.
    pub(super) fn reaches(self, other: Self) -> bool {
        self.attempt > other.attempt
            || self.attempt == other.attempt && self.event >= other.event && self.byte >= other.byte
    }

    /// Moves behind a piece; returns what of the piece was not before this place.
    pub(super) fn pass(&mut self, piece: Piece) -> Option<Piece> {
        if piece.attempt < self.attempt {
            return None;
        }
        if piece.attempt > self.attempt {
            *self = Self::start(piece.attempt);
        }
        match &piece.part {
            Part::Output { offset, bytes } => {
                let (seen, end) = (self.byte, offset + bytes.len() as u64);
                if end <= seen {
                    return None;
                }
                self.byte = end;
                let known = usize::try_from(seen.saturating_sub(*offset)).unwrap_or(usize::MAX);
                if known == 0 {
                    return Some(piece);
                }
                let rest = bytes.slice(known.min(bytes.len())..);
                Some(Piece::output(piece.attempt, seen, rest))
            }
            Part::Event { counter, .. } => {
                if *counter <= self.event {
                    return None;
                }
                self.event = *counter;
                Some(piece)
            }
            Part::Gap(_) => Some(piece),
        }
    }

    /// Returns the cursor that names the place in a job's stream.
    pub(crate) fn cursor(self, job: JobId) -> String {
        let Self { attempt, event, byte } = self;
        format!("{attempt}-{event}-{byte}-{}", tag(job))
    }

    /// Returns the cursor of the end of a job's stream, which is at this place.
    pub(crate) fn end_cursor(self, job: JobId) -> String {
        self.cursor(job) + END
    }

    /// Takes the parameter `cursor`: a place of a job, of which another attempt than its own must not be asked for.
    pub(crate) fn take(params: &mut Params, job: JobId, attempt: Option<u32>) -> Option<Self> {
        let cursor = params.name("cursor").filter(|cursor| !cursor.is_empty())?;
        match Self::of_cursor(job, &cursor) {
            None => params.refuse("cursor", NOT_A_CURSOR),
            Some((place, _)) => match attempt {
                Some(attempt) if attempt != place.attempt => params.refuse("cursor", place.is_not_in(attempt)),
                _ => return Some(place),
            },
        }
        None
    }

    /// Says that the place is in another attempt than the wanted one.
    pub(crate) fn is_not_in(self, wanted: u32) -> String {
        format!(
            "is in attempt {}, not in attempt {wanted}, which `attempt` asks for",
            self.attempt
        )
    }

    /// Refuses the parameter `cursor` if the attempt of the place has not begun.
    pub(crate) fn check_parameter(self, job: &Job) -> Result<(), Problem> {
        let refused = |why| Problem::parameters(vec![("cursor".to_owned(), why)]);
        self.check(job).map_err(refused)
    }

    /// Says that there is no such place, if the attempt has not begun.
    pub(crate) fn check(self, job: &Job) -> Result<(), String> {
        let begun = job.state.attempt;
        // where one is given up, the place is at the beginning of the next
        let given_up = job.state.given_up.last().map_or(0, |last| last.attempt);
        match self.attempt <= begun.max(given_up + 1) {
            true => Ok(()),
            false => Err(format!(
                "is in attempt {}, but the job has been started {begun} times",
                self.attempt
            )),
        }
    }

    /// Reads a cursor of a job's stream; also returns whether it is that of the end.
    pub(crate) fn of_cursor(job: JobId, text: &str) -> Option<(Self, bool)> {
        let (text, ended) = text.strip_suffix(END).map_or((text, false), |text| (text, true));
        let mut parts = text.strip_suffix(&tag(job))?.strip_suffix('-')?.split('-');
        let place = Self {
            attempt: number(parts.next()?)?.try_into().ok().filter(|attempt| *attempt > 0)?,
            event: number(parts.next()?)?,
            byte: number(parts.next()?)?,
        };
        parts.next().is_none().then_some((place, ended))
    }
}

/// Reads a number that is written as this service writes it.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Returns the part of a cursor by which one of another job is noticed: the end of the job's id.
fn tag(job: JobId) -> String {
    let id = job.to_string();
    id[id.len() - 12..].to_owned()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_cursor_names_a_place_of_one_job() {
        let (job, other) = (JobId::new(), JobId::new());
        let place = Place {
            attempt: 2,
            event: 31,
            byte: 4096,
        };
        let cursor = place.cursor(job);
        assert_eq!(Place::of_cursor(job, &cursor), Some((place, false)));
        assert_eq!(Place::of_cursor(job, &place.end_cursor(job)), Some((place, true)));
        assert_eq!(Place::of_cursor(other, &cursor), None);
        let tag = tag(job);
        for text in [
            "",
            "-",
            "1",
            &tag,
            &format!("0-1-1-{tag}"),
            &format!("1-1-{tag}"),
            &format!("1-1-1-1-{tag}"),
            &format!("1-+1-1-{tag}"),
            &format!("1-01-1-{tag}"),
            &format!("1--1-1-{tag}"),
            &format!("4294967296-1-1-{tag}"),
            &format!("1-18446744073709551616-1-{tag}"),
            &format!("{cursor}-END"),
        ] {
            assert_eq!(Place::of_cursor(job, text), None, "{text}");
        }
    }

    #[test]
    fn what_was_seen_of_a_piece_is_left_out() {
        let text = |piece: Option<Piece>| match piece?.part {
            Part::Output { offset, bytes } => Some((offset, bytes)),
            _ => None,
        };
        let mut place = Place::start(1);
        let piece = |offset, text: &'static str| Piece::output(1, offset, Bytes::from_static(text.as_bytes()));
        assert_eq!(text(place.pass(piece(0, "ab"))), Some((0, Bytes::from_static(b"ab"))));
        assert_eq!(text(place.pass(piece(0, "ab"))), None);
        assert_eq!(text(place.pass(piece(1, "bcd"))), Some((2, Bytes::from_static(b"cd"))));
        assert_eq!(place.byte, 4);
        let next = Piece::event(2, 1, Bytes::from_static(b"{}\n"));
        assert!(place.pass(next.clone()).is_some() && place.pass(next).is_none());
        assert_eq!((place.attempt, place.event, place.byte), (2, 1, 0));
        assert!(place.pass(piece(4, "late")).is_none());
    }
}
