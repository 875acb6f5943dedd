//! Ansible jobs as a kind: what a request may say, what an operator allows of it, and what a record tells.
//!
//! It does nothing: `callboard-ansible` runs what is described here.

pub mod access;
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
pub mod source;
pub mod stats;
mod variables;
mod view;
