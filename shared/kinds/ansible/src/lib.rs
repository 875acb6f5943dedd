//! Ansible jobs as a kind: what a request may say, what an operator allows, and what a record shows.
//!
//! This crate runs nothing: `callboard-ansible` runs the jobs that are described here.

pub mod access;
mod again;
pub mod catalog;
pub mod detail;
pub mod event;
pub mod event_names;
pub mod failures;
pub mod inventory;
pub mod kind;
pub mod options;
pub mod policy;
pub mod repository;
pub mod request;
mod results;
pub mod retry;
pub mod source;
pub mod stats;
mod uses;

pub use uses::SUBJECTS;
mod variables;
mod view;
