//! One pipe of a job, until it ends or nothing is left in it.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// A pipe that is read to its end.
pub(crate) struct Flow(Option<pipe::Receiver>);

impl Flow {
    /// Begins to read; a pipe that is not there has ended.
    pub(crate) fn new(pipe: Option<pipe::Receiver>) -> Self {
        Self(pipe)
    }

    /// Tells whether more may come: until the end, or, of a pipe whose writer is gone, as long as something is in it.
    pub(crate) fn flows(&self, last: bool) -> io::Result<bool> {
        match &self.0 {
            None => Ok(false),
            Some(_) if !last => Ok(true),
            Some(pipe) => Ok(rustix::io::ioctl_fionread(pipe)? > 0),
        }
    }

    /// Reads once; 0 bytes at the end, after which it waits for ever. Safe to be dropped while it waits.
    pub(crate) async fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        let Some(pipe) = &mut self.0 else {
            return std::future::pending().await;
        };
        let length = pipe.read(chunk).await?;
        if length == 0 {
            self.0 = None;
        }
        Ok(length)
    }
}
