//! The beginning of what a job prints, for its result.

/// The beginning of a stream, without secrets. The log has all of it.
#[derive(Debug, Default)]
pub struct Beginning {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether there are more.
    pub truncated: bool,
}

impl Beginning {
    /// Takes what comes next of the stream, as far as the beginning stays within `max` bytes.
    pub fn take(&mut self, text: &[u8], max: usize) {
        let room = max.saturating_sub(self.bytes.len());
        self.truncated |= text.len() > room;
        self.bytes.extend_from_slice(&text[..text.len().min(room)]);
    }
}
