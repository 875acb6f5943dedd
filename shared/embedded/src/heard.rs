//! Tells within the process what happens to jobs, so that whoever waits need not look all the time.

use callboard_core::base::id::JobId;
use tokio::sync::broadcast;

/// How much is kept for those who are slow to hear of it.
const MOST_TOLD: usize = 256;

/// Something that happens to jobs. Clones tell the same ones.
#[derive(Clone)]
pub(crate) struct Heard(broadcast::Sender<JobId>);

impl Default for Heard {
    fn default() -> Self {
        Self(broadcast::Sender::new(MOST_TOLD))
    }
}

impl Heard {
    /// Tells that it has happened to a job.
    pub(crate) fn tell(&self, job: JobId) {
        // without a receiver, nobody waits
        let _heard = self.0.send(job);
    }

    /// Waits until it happens to a job, after this call; or may have, unheard by who is slow.
    pub(crate) fn of(&self, job: JobId) -> impl Future<Output = ()> + Send + use<> {
        let mut told = self.0.subscribe();
        async move { while told.recv().await.is_ok_and(|other| other != job) {} }
    }
}
