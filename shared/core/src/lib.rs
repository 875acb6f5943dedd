//! The domain of Callboard: what a job is, how it is submitted and run, and what happens to it.
//!
//! This crate knows nothing of AWS, HTTP, SQLite, Python, or of what any kind of job does. Its folders are below one another in
//! this order, and each knows only those before it; each port stands beside its noun, and adapters implement it.

pub mod base;

pub mod credential;

pub mod policy;

pub mod request;

pub mod job;

pub mod output;

pub mod redact;

pub mod run;

pub mod submit;

pub mod care;
