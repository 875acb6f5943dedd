//! Redacts a stream that arrives in chunks, with marks in it that keep their places.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::readings::{self, PAST, Reading};
use super::redactor::{REPLACEMENT, Redactor};

/// A part of a stream: text, or a mark between two bytes of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece<'a, M> {
    /// Text; where chunks end has no meaning.
    Text(Cow<'a, [u8]>),
    /// A mark.
    Mark(M),
}

/// Redacts a stream. It holds back only the tail that may still become a secret.
pub struct Stream<M> {
    redactor: Arc<Redactor>,
    /// The text that has not been given out yet, after the end of the text that has.
    held: Vec<u8>,
    /// Where in `held` the text that has not been given out begins.
    from: usize,
    /// Whether `held` begins a line.
    line: bool,
    /// How many bytes from there on belong to a secret that has already been replaced.
    covered: usize,
    /// Marks by their place in `held`.
    marks: VecDeque<(usize, M)>,
}

impl<M> Stream<M> {
    /// Starts a stream.
    #[must_use]
    pub fn new(redactor: Arc<Redactor>) -> Self {
        Self {
            redactor,
            held: Vec::new(),
            from: 0,
            line: true,
            covered: 0,
            marks: VecDeque::new(),
        }
    }

    /// Takes the next piece and returns what it decides, in order. A mark within a secret comes after the secret's replacement.
    pub fn push<'a>(&mut self, piece: Piece<'a, M>) -> Vec<Piece<'a, M>> {
        if self.redactor.is_empty() {
            return vec![piece];
        }
        match piece {
            Piece::Text(text) => self.held.extend_from_slice(&text),
            Piece::Mark(mark) => self.marks.push_back((self.held.len(), mark)),
        }
        let readings = readings::of(&self.held, self.line, false);
        self.decide(self.redactor.undecided(&self.held, self.from, &readings), &readings)
    }

    /// Returns what is left when the stream has ended.
    pub fn finish(&mut self) -> Vec<Piece<'static, M>> {
        let readings = readings::of(&self.held, self.line, true);
        self.decide(self.held.len(), &readings)
    }

    /// Gives out the text before `end`: no form that begins there is still incomplete.
    fn decide<'a>(&mut self, end: usize, readings: &[Reading]) -> Vec<Piece<'a, M>> {
        let mut pieces = Vec::new();
        let mut at = self.from + self.covered;
        let spans = self.redactor.spans(&self.held, self.from, readings);
        for span in spans.into_iter().take_while(|span| span.start < end) {
            if span.start >= at {
                self.pass(at..span.start, &mut pieces);
                pieces.push(Piece::Text(Cow::Borrowed(REPLACEMENT.as_bytes())));
            }
            at = at.max(span.end);
        }
        self.pass(at.min(end)..end, &mut pieces);
        self.covered = at.saturating_sub(end);
        self.forget(end);
        pieces
    }

    /// Forgets the text that was given out, except for the part that readings need.
    fn forget(&mut self, end: usize) {
        let gone = end.saturating_sub(PAST);
        if let Some(last) = gone.checked_sub(1) {
            self.line = self.held[last] == b'\n';
        }
        self.held.drain(..gone);
        self.from = end - gone;
        for (place, _) in &mut self.marks {
            *place -= gone;
        }
    }

    /// Gives out a range of the held text, with every mark up to its end.
    fn pass(&mut self, range: Range<usize>, pieces: &mut Vec<Piece<'_, M>>) {
        let mut at = range.start;
        while let Some((place, mark)) = self.marks.pop_front_if(|(place, _)| *place <= range.end) {
            self.copy(at..place.max(at), pieces);
            at = at.max(place);
            pieces.push(Piece::Mark(mark));
        }
        self.copy(at..range.end, pieces);
    }

    fn copy(&self, range: Range<usize>, pieces: &mut Vec<Piece<'_, M>>) {
        if !range.is_empty() {
            pieces.push(Piece::Text(Cow::Owned(self.held[range].to_vec())));
        }
    }
}

impl<M> fmt::Debug for Stream<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}
