//! Running jobs: claims, supervision, ends, retries, and the port to the runners that execute them.

mod allowance;
mod archives;
mod breaker;
mod cancel;
mod dispatcher;
mod ending;
mod held;
mod outage;
mod overrule;
mod quota_use;
mod retry;
mod runner;
mod settings;
mod stop;
mod supervise;
mod worker;

pub use self::allowance::*;
pub use self::archives::*;
pub use self::breaker::*;
pub use self::cancel::*;
pub use self::dispatcher::*;
pub(crate) use self::ending::end_attempt;
pub use self::held::*;
pub use self::outage::*;
pub use self::quota_use::*;
pub use self::runner::*;
pub use self::settings::*;
pub use self::stop::*;
pub use self::worker::*;
