//! The domain of Callboard: what a job is, how it is submitted and run, and what happens to it.
//!
//! This crate knows nothing about AWS, HTTP, SQLite or Python, or about what any kind of job does. Its folders are layered in
//! this order, and each knows only those before it. Each port is next to the types it serves, and adapters implement it.

pub mod base;

pub mod access;

pub mod audit;

pub mod credential;

pub mod policy;

pub mod request;

pub mod job;

pub mod output;

pub mod redact;

pub mod run;

pub mod submit;

pub mod care;
