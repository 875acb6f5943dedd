//! The code that the Lambda functions share: settings, the adapters for AWS, logging, and API Gateway's events.

mod batch;
mod batches;
mod doctor;
mod gateway;
mod health;
mod logging;
mod parts;
mod services;
mod settings;
mod worker;

pub use batch::batch_response;
pub use batches::Batches;
pub use gateway::{GatewayError, Streamed, answer, is_http, stream};
pub use logging::start_logging;
pub use parts::{GRACE, Parts};
pub use services::Services;
pub use settings::{Answers, Settings, number, required};
