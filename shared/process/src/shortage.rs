//! Distinguishes a machine that is short of resources from a job that is wrong.

use std::error::Error;
use std::io;

use rustix::io::Errno;

/// Returns whether an error comes from a temporary lack of open files, memory or processes.
#[must_use]
pub fn is_behind(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let code = error.downcast_ref::<io::Error>().and_then(Errno::from_io_error);
        if code.is_some_and(|code| [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::AGAIN].contains(&code)) {
            return true;
        }
        cause = error.source();
    }
    false
}
