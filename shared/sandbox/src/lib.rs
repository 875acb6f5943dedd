//! Starts a program confined: what it may read, change, use and reach, as far as the system can enforce it.
//!
//! A service that runs programs starts itself once more as a *launcher*, a process that does nothing but to make another one for each
//! task ([`Sandbox::channel`]). Over a channel to that one the service sends a [`Task`], reads [`Report`]s and sends [`Command`]s. It
//! checks the program, confines a child of its own, has that execute the program, and watches it. It leaves nothing of it, also where the
//! service dies: when the channel is closed, it ends everything.

mod cgroup;
mod confine;
mod control;
mod handover;
mod landlocked;
mod launch;
mod namespaces;
mod plan;
mod processes;
mod program;
mod raw;
mod report;
mod sandbox;
mod settings;
mod start;
mod surroundings;
mod trust;
mod usage;
mod watch;

pub use control::{Command, encode};
pub use launch::launch_if_asked;
pub use plan::{Limits, Means, Plan, Task};
pub use report::{Abilities, Cause, Ending, Failure, Limit, Report};
pub use sandbox::Sandbox;
pub use surroundings::{Surroundings, landlock_version};
