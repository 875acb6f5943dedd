//! Runs blocking work on a thread of its own, until nobody waits for it any more.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells the work on a thread whether somebody still waits for it.
#[derive(Clone, Default)]
pub(crate) struct Going(Arc<AtomicBool>);

impl Going {
    /// Fails if nobody waits for the work any more.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(io::Error::other("it was stopped"));
        }
        Ok(())
    }

    /// Wraps a reader so that it fails once nobody waits for the work any more.
    pub(crate) fn reader<R: Read>(&self, inner: R) -> impl Read {
        Checked(inner, self.clone())
    }

    /// Wraps a writer so that it fails once nobody waits for the work any more.
    pub(crate) fn writer<W: Write>(&self, inner: W) -> impl Write {
        Checked(inner, self.clone())
    }
}

struct Checked<T>(T, Going);

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.check()?;
        self.0.read(buffer)
    }
}

impl<W: Write> Write for Checked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.check()?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Signals, when it is dropped, that nobody waits for the work any more.
struct Waiting(Going);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Runs blocking work. The work is told to stop when the future is dropped.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce(&Going) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let going = Going::default();
    let _waiting = Waiting(going.clone());
    let worked = tokio::task::spawn_blocking(move || {
        going.check()?;
        work(&going)
    });
    worked.await.map_err(io::Error::other)?
}
