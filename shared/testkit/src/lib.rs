//! What the tests of an adapter or a runner need, without the programs: the contract suites of the ports, a clock to set, faults
//! to inject, waiting for facts, and (feature `aws`) the resources of a deployment on AWS's emulators.

#[cfg(feature = "aws")]
pub mod aws;
pub mod contract;
pub mod faults;
pub mod folders;
#[cfg(feature = "aws")]
pub mod http;
pub mod processes;
pub mod wait;
