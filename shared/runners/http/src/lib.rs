//! Executes calls of registered services over HTTP.

mod answer;
mod attempt;
mod exchange;
mod request;
mod runner;
mod verdict;

pub use runner::HttpRunner;
