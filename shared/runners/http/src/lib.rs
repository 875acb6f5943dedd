//! Executes calls of registered services over HTTP.

mod answer;
mod exchange;
mod request;
mod runner;
mod tries;
mod verdict;

pub use runner::HttpRunner;
