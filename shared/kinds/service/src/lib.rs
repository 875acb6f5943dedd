//! Services as kinds of jobs: the operator's registry of services and their operations. It does nothing itself.

pub mod attempt;
pub mod config;
pub mod detail;
pub mod document;
mod event;
pub mod events;
pub mod execution_type;
pub mod in_force;
pub mod kind;
pub mod operation;
pub mod output;
pub mod registry;
pub mod request;
pub mod retry;
pub mod schema;
pub mod security;
pub mod service;
pub mod template;
mod view;
