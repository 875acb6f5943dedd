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
pub use gateway::{GatewayError, answer, is_http};
pub use logging::start_logging;
pub use parts::{GRACE, Parts};
pub use services::Services;
pub use settings::{Settings, number, required};
