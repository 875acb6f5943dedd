//! Callboard on AWS, as far as one machine can imitate it: the emulators that `tests/emulators.py` starts, and stand-ins for
//! services that no emulator offers without Docker.

pub mod ecs;
pub mod gateway;
pub mod lambda;
pub mod mapping;
pub mod stack;

pub use callboard_testkit::aws::{Environment, Queue, Resources, Template, endpoints, template};
pub use ecs::Ecs;
pub use gateway::Gateway;
pub use lambda::{Function, FunctionError, Pool, Streamed};
pub use mapping::Mapping;
pub use stack::{Stack, StackSettings};
