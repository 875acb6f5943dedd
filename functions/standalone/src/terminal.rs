//! The terminal, or whatever the caller's standard output and standard error are connected to.

use std::io::Write;

use callboard_ansible::{Channel, Viewer};
use callboard_core::base::id::Tenant;

/// Shows the output of a job on the stream where `ansible-playbook` would have printed it.
pub(crate) struct Terminal {
    /// Whether standard output is reserved for the job's record, so that all of the job's output goes to standard error.
    pub(crate) record_on_stdout: bool,
}

impl Viewer for Terminal {
    fn show(&self, channel: Channel, bytes: &[u8]) {
        let to_stdout = channel == Channel::Stdout && !self.record_on_stdout;
        // the reader may be slow
        tokio::task::block_in_place(|| {
            if to_stdout {
                write(&mut std::io::stdout().lock(), bytes);
            } else {
                write(&mut std::io::stderr().lock(), bytes);
            }
        });
    }
}

/// Prints a line to standard output.
pub(crate) fn print(text: &str) {
    write(&mut std::io::stdout().lock(), format!("{text}\n").as_bytes());
}

/// Prints a line to standard error.
pub(crate) fn tell(text: &str) {
    write(&mut std::io::stderr().lock(), format!("{text}\n").as_bytes());
}

/// Says that a list of a tenant's things is empty.
pub(crate) fn tell_none(things: &str, tenant: &Tenant) {
    let tenant = tenant.as_str();
    tell(&format!(
        "callboard: the tenant {tenant} has no such {things}; --tenant names another."
    ));
}

/// Writes bytes. Errors are ignored: nobody may be reading any more, but the job continues and its output is stored.
fn write(out: &mut dyn Write, bytes: &[u8]) {
    drop(out.write_all(bytes).and_then(|()| out.flush()));
}
