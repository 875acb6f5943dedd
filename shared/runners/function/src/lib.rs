//! Executes calls of registered services that are functions of a cloud: AWS Lambda, by its Invoke API, and Google Cloud Functions, by
//! HTTPS with an ID token.
//!
//! An invocation cannot be canceled: a call that is stopped is broken off, and the function goes on.

mod access;
mod cost;
mod function_error;
mod google;
mod id_token;
mod invocation;
mod lambda;
mod runner;
mod service_account;
mod settings;
mod verdict;

pub use runner::FunctionRunner;
pub use settings::Settings;
