//! Watching a job print, for whoever has started it at a terminal.

/// The stream that something was written to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Channel {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

/// Sees what a job prints when it prints it; the log has both streams in one.
pub trait Viewer: Send + Sync {
    /// Shows bytes that the job has written to one of its streams.
    fn show(&self, channel: Channel, bytes: &[u8]);
}
