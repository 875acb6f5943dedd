//! Takes from a process what its program must not have. This is irreversible.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits, set_no_new_privs,
};

use crate::plan::Limits;
use crate::processes::threads_of_user;

/// How many files a process may have open.
const MAX_OPEN_FILES: u64 = 1024;
/// How many seconds a process has that catches the signal for too much processor time.
const CPU_GRACE_SECONDS: u64 = 1;

/// What there is beside the program in its namespace: the launcher, and the first process. One more than is allowed is let through,
/// so that it is found and told.
const IN_NAMESPACE: u64 = 3;
/// How many threads more the service's user may have than when the program is started, where all of them are counted together. It
/// only keeps a program from filling the machine before it is found to have too many.
const TOGETHER: u64 = 256;

/// Limits a process, and everything that it starts. `namespaces` says whether its processes are counted apart from others of the user.
pub(crate) fn limit(limits: &Limits, namespaces: bool) -> io::Result<()> {
    let set = |resource, most: u64, hard: u64| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(hard),
        };
        // what is less already stays less
        match setrlimit(resource, limit) {
            Err(rustix::io::Errno::PERM) => Ok(()),
            other => other.map_err(io::Error::from),
        }
    };
    set(Resource::Core, 0, 0)?;
    set(Resource::Nofile, MAX_OPEN_FILES, MAX_OPEN_FILES)?;
    if let Some(seconds) = limits.cpu_seconds {
        set(Resource::Cpu, seconds, seconds + CPU_GRACE_SECONDS)?;
    }
    if let Some(bytes) = limits.memory_bytes {
        // what is reserved without being used does not count: some run-times reserve gigabytes
        set(Resource::Data, bytes, bytes)?;
    }
    if let Some(bytes) = limits.disk_bytes {
        set(Resource::Fsize, bytes, bytes)?;
    }
    // for root, this is no limit: see `namespaces::bound`
    if let Some(most) = limits.processes {
        let others = if namespaces {
            IN_NAMESPACE
        } else {
            threads_of_user() + TOGETHER
        };
        set(Resource::Nproc, most + others, most + others)?;
    }
    Ok(())
}

/// Gives up all capabilities and every way to get some.
pub(crate) fn drop_privileges() -> io::Result<()> {
    let may_set = rustix::thread::capabilities(None)?
        .permitted
        .contains(CapabilitySet::SETPCAP);
    if may_set {
        for capability in CapabilitySet::all() {
            match remove_capability_from_bounding_set(capability) {
                // the kernel does not know it
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let locked = CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_SETUID_FIXUP
            | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
            | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
        set_capabilities_secure_bits(locked)?;
    }
    set_no_new_privs(true)?;
    // a kernel before 4.3 has none
    let _none = clear_ambient_capability_set();
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    Ok(set_capabilities(None, none)?)
}
