//! What of a job somebody follows.

use super::place::Place;

/// What of a job somebody follows.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Selection {
    /// One attempt alone, or all of them.
    pub(crate) attempt: Option<u32>,
    /// Whether the output.
    pub(crate) output: bool,
    /// Whether the events.
    pub(crate) events: bool,
}

impl Selection {
    /// Returns the same of all attempts.
    pub(super) fn of_all_attempts(self) -> Self {
        Self { attempt: None, ..self }
    }

    /// Returns whether an attempt is part of it, or comes before it.
    pub(super) fn goes_to(self, attempt: u32) -> bool {
        self.attempt.is_none_or(|last| attempt <= last)
    }

    /// Returns a place as if all that is not selected had been seen.
    pub(super) fn seen(self, place: Place) -> Place {
        Place {
            event: if self.events { place.event } else { u64::MAX },
            byte: if self.output { place.byte } else { u64::MAX },
            ..place
        }
    }
}
