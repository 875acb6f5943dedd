//! Executes calls of registered services over HTTP.

mod answer;
mod authorize;
mod callers;
mod exchange;
mod oauth;
mod proof;
mod redaction;
mod request;
mod runner;
mod verdict;

pub use runner::HttpRunner;
