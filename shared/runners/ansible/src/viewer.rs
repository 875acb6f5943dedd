//! Shows what a job prints, to the person who started it at a terminal.

/// The stream that something was written to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Channel {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

/// Sees a job's output as it is printed; the log has both streams in one.
pub trait Viewer: Send + Sync {
    /// Shows bytes that the job has written to one of its streams.
    fn show(&self, channel: Channel, bytes: &[u8]);
}
