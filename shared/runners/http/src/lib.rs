//! Executes calls of registered services over HTTP.

mod answer;
mod request;
mod runner;
mod tries;

pub use runner::HttpRunner;
