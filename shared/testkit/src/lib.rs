//! What the tests of an adapter or a runner need, without the programs: the contract suites of the ports, a clock to set, faults
//! to inject, waiting for facts, (feature `aws`) the resources of a deployment on AWS's emulators, and
//! (feature `calls`) servers of services with the runs of jobs that call them.

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "calls")]
pub mod calls;
pub mod contract;
pub mod faults;
pub mod folders;
#[cfg(feature = "aws")]
pub mod http;
pub mod processes;
pub mod wait;
