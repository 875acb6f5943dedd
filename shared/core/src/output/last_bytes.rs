//! The end of what a job prints, for its error.

/// The end of a stream, without secrets.
#[derive(Debug, Default)]
pub struct LastBytes(Vec<u8>);

impl LastBytes {
    /// How many bytes there are at most.
    pub const MOST: usize = 1000;

    /// Takes what comes next of the stream.
    pub fn take(&mut self, text: &[u8]) {
        let room = text.len().min(Self::MOST);
        let over = (self.0.len() + room).saturating_sub(Self::MOST);
        self.0.drain(..over);
        self.0.extend_from_slice(&text[text.len() - room..]);
    }

    /// Returns them as they are.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns them as text, without white space around.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).trim().to_owned()
    }
}
