//! Running jobs: claims, supervision, ends, retries, and the port to the runners that execute them.

mod archives;
mod breaker;
mod dispatch;
mod ending;
mod held;
mod outage;
mod overrule;
mod retry;
mod runner;
mod settings;
mod stop;
mod supervise;
mod worker;

pub use self::archives::*;
pub use self::breaker::*;
pub use self::dispatch::*;
pub(crate) use self::ending::end_attempt;
pub use self::held::*;
pub use self::outage::*;
pub use self::runner::*;
pub use self::settings::*;
pub use self::stop::*;
pub use self::worker::*;
