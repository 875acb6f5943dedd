//! Callboard on AWS, as far as one machine can imitate it: the emulators that `tests/emulators.py` starts, and stand-ins for
//! services that no emulator offers without Docker.

pub mod endpoints;
pub mod gateway;
pub mod lambda;
pub mod mapping;
pub mod resources;
pub mod stack;
pub mod template;

pub use gateway::Gateway;
pub use lambda::{Environment, Function, FunctionError, Pool};
pub use mapping::Mapping;
pub use resources::{Queue, Resources};
pub use stack::{Stack, StackSettings};
pub use template::Template;
