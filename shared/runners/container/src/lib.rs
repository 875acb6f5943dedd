//! Executes operations of registered services in containers, by Docker or Podman.

mod attempt;
mod container;
mod create;
mod engine;
mod environment;
mod fault;
mod held;
mod image;
mod limits;
mod prepare;
mod printed;
mod run;
mod runner;
mod verdict;
mod verify;

pub use runner::ContainerRunner;
