//! Reads one pipe of a job until it ends or nothing is left in it.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// A pipe that is read to its end or, once its writer is gone, until what was in it then has been read.
pub(crate) struct Flow {
    pipe: Option<pipe::Receiver>,
    /// How many bytes are still to be read; processes that were left running may go on writing for ever.
    left: Option<usize>,
}

impl Flow {
    /// Starts reading; a missing pipe counts as ended.
    pub(crate) fn new(pipe: Option<pipe::Receiver>) -> Self {
        Self { pipe, left: None }
    }

    /// Notes that the writer is gone: what is in the pipe now is the last that it wrote.
    pub(crate) fn last(&mut self) -> io::Result<()> {
        if let Some(pipe) = &self.pipe {
            let bytes = rustix::io::ioctl_fionread(pipe)?;
            self.left = Some(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        Ok(())
    }

    /// Returns whether more may come.
    pub(crate) fn flows(&self) -> bool {
        self.pipe.is_some() && self.left != Some(0)
    }

    /// Reads once. Returns 0 bytes at the end; after that, it waits for ever. Safe to drop while it waits.
    pub(crate) async fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        let most = chunk.len().min(self.left.unwrap_or(usize::MAX));
        let Some(pipe) = self.pipe.as_mut().filter(|_| most > 0) else {
            return std::future::pending().await;
        };
        let length = pipe.read(&mut chunk[..most]).await?;
        if length == 0 {
            self.pipe = None;
        }
        self.left = self.left.map(|left| left - length);
        Ok(length)
    }
}
