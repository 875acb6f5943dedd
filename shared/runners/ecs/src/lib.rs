//! Runs the containers of services as tasks of AWS ECS. A worker starts a task and leaves it; when the task has ended, by the event that
//! tells so or from time to time, a worker looks at it.

mod api;
mod definition;
mod logs;
mod look;
mod plan;
mod runner;
mod settings;
mod start;
mod task;
mod verdict;

pub use runner::EcsRunner;
pub use settings::Settings;
