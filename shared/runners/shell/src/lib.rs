//! Executes operations of registered services by programs on the worker, never by a shell.

mod attempt;
mod launched;
mod prepared;
mod printed;
mod runner;
mod verdict;
mod watcher;

pub use runner::ShellRunner;
