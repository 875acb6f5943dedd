//! What of a job somebody follows.

use super::piece::{Part, Piece};
use super::place::Place;

/// What of a job somebody follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection {
    /// One attempt alone, or all of them.
    pub(crate) attempt: Option<u32>,
    /// Whether the output.
    pub(crate) output: bool,
    /// Whether the events.
    pub(crate) events: bool,
}

impl Selection {
    /// Everything.
    pub(super) const ALL: Self = Self {
        attempt: None,
        output: true,
        events: true,
    };

    /// Returns whether a piece is part of it.
    pub(super) fn has(self, piece: &Piece) -> bool {
        let of_kind = match piece.part {
            Part::Output { .. } => self.output,
            Part::Event { .. } => self.events,
            Part::Gap(_) => true,
        };
        of_kind && self.attempt.is_none_or(|attempt| piece.attempt <= attempt)
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
