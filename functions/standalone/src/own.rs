//! Who works on this machine, by the command line.

use callboard_core::access::Requester;
use callboard_core::base::id::Tenant;

/// Returns this process's user as the caller of what the command line does.
pub(crate) fn own() -> Requester {
    Requester::own(Tenant::default(), &format!("cli:{}", user()))
}

fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| format!("uid-{}", rustix::process::geteuid().as_raw()))
}
