//! Selects the attempt whose output a request reads.

use callboard_core::job::Job;
use callboard_core::output::{LogKey, Stream};

use crate::params::Params;
use crate::problem::{Kind, Problem};

/// One attempt by its number, or the latest one if there is no number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Wanted(pub(crate) Option<u32>);

impl Wanted {
    /// Takes the parameter `attempt`, which must be at least `least`.
    pub(crate) fn take(params: &mut Params, least: u64) -> Self {
        let number = params.number("attempt", least, u32::MAX.into());
        Self(number.and_then(|number| u32::try_from(number).ok()))
    }

    /// Checks that the attempt exists.
    pub(crate) fn check(self, job: &Job) -> Result<(), Problem> {
        let (last, Some(wanted)) = (job.state.attempt, self.0) else {
            return Ok(());
        };
        if wanted <= last {
            return Ok(());
        }
        let there_is = match last {
            0 => "it has not been started yet".to_owned(),
            1 => "it has been started once".to_owned(),
            _ => format!("it has been started {last} times"),
        };
        let detail = format!("The job has no attempt {wanted}: {there_is}.");
        Err(Problem::new(Kind::NoSuchAttempt, detail))
    }

    /// Returns the attempt's number; 0 for a job that was never started.
    pub(crate) fn number(self, job: &Job) -> u32 {
        self.0.unwrap_or(job.state.attempt)
    }

    /// Returns the key of one of the attempt's streams.
    pub(crate) fn key(self, job: &Job, stream: Stream) -> LogKey {
        LogKey {
            job: job.id,
            attempt: self.number(job),
            stream,
        }
    }

    /// Returns whether no more output can be added: the job has ended, or the wanted attempt has.
    pub(crate) fn is_over(self, job: &Job) -> bool {
        job.state.status.is_final() || self.0.is_some_and(|wanted| job.state.is_over(wanted))
    }
}
