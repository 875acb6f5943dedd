//! The resources of a deployment, on the emulators that `tests/emulators.py` starts.

pub mod endpoints;
pub mod resources;
pub mod template;

pub use resources::{Environment, Queue, Resources};
pub use template::Template;
