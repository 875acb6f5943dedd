//! Work that blocks, on a thread of its own, until nobody waits for it any more.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells work on a thread whether somebody still waits for it.
#[derive(Clone, Default)]
pub(crate) struct Going(Arc<AtomicBool>);

impl Going {
    /// Fails once nobody waits for the work any more.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(io::Error::other("it was stopped"));
        }
        Ok(())
    }

    /// Reads from something for as long.
    pub(crate) fn reader<R: Read>(&self, inner: R) -> impl Read {
        Checked(inner, self.clone())
    }

    /// Writes to something for as long.
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

/// Says that nobody waits any more when it is dropped.
struct Waiting(Going);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Does work that blocks. It is told to stop when the future is dropped.
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
