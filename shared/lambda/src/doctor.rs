//! The doctor of a deployment: asks table, queue, bucket and Secrets Manager, and names what is damaged. It changes nothing.

use std::future::Future;
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::care::{Finding, some};
use callboard_core::job::{Filter, HistoryQuery, JobQueue, MAX_LIMIT};

use crate::parts::Parts;

/// How long records are read: a function has 29 s for everything.
const READING: Duration = Duration::from_secs(15);
/// How many records are read as a whole: what lists show is less.
const NEWEST: usize = 100;
/// How many credentials are looked for.
const CREDENTIALS: u32 = 100;

/// What was found in the records of jobs.
#[derive(Default)]
struct Records {
    read: usize,
    damaged: Vec<String>,
    is_all: bool,
}

impl Parts {
    /// Checks everything that a job needs, apart from the worker.
    pub async fn doctor(&self) -> Vec<Finding> {
        let findings = tokio::join!(
            found("records", self.records()),
            found("dead_letters", self.dead_letters()),
            found("queue", self.waiting()),
            found("output", self.output()),
            found("credentials", self.stored_credentials()),
        );
        let (records, letters, queue, output, credentials) = findings;
        let services = self.registered_services().await;
        vec![records, letters, queue, output, credentials, self.policy(), services]
    }

    async fn records(&self) -> Result<Finding, StoreError> {
        let found = self.read_records().await?;
        let many = found.read;
        if !found.damaged.is_empty() {
            let detail = format!("Records that cannot be read: {}.", some(&found.damaged));
            let remedy = "The log of QueryFunction says what is wrong with each; put back the item from a backup of the table, or delete \
                          it.";
            return Ok(Finding::fault("records", detail, remedy).about(found.damaged));
        }
        let detail = if found.is_all {
            format!("Every job can be read as lists show it ({many}), and the newest {NEWEST} as a whole.")
        } else {
            format!(
                "The newest {many} jobs can be read as lists show them, and {NEWEST} as a whole; there was no time for older ones."
            )
        };
        Ok(Finding::ok("records", detail))
    }

    async fn read_records(&self) -> Result<Records, StoreError> {
        let mut found = Records::default();
        match tokio::time::timeout(READING, self.read_pages(&mut found)).await {
            Ok(Err(error)) if found.damaged.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// Reads page by page; what was found stays if it takes too long.
    async fn read_pages(&self, found: &mut Records) -> Result<(), StoreError> {
        let mut query = newest(false);
        loop {
            let page = self.store.list(&query, self.clock.now()).await?;
            found.damaged.extend(page.damaged.iter().map(JobId::to_string));
            for job in &page.jobs {
                found.read += 1;
                if found.read <= NEWEST && self.is_damaged(job.id).await? {
                    found.damaged.push(job.id.to_string());
                }
            }
            query.before = page.next();
            if query.before.is_none() {
                found.is_all = true;
                return Ok(());
            }
        }
    }

    async fn is_damaged(&self, id: JobId) -> Result<bool, StoreError> {
        match self.store.get(id, self.clock.now()).await {
            Ok(_) | Err(StoreError::NotFound) => Ok(false),
            Err(StoreError::Corrupt(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn dead_letters(&self) -> Result<Finding, StoreError> {
        let page = self.store.list(&newest(true), self.clock.now()).await?;
        let jobs = page.jobs.iter().map(|job| job.id).chain(page.damaged);
        let ids: Vec<String> = jobs.map(|id| id.to_string()).collect();
        if ids.is_empty() {
            return Ok(Finding::ok("dead_letters", "The queue has given up no job that waits."));
        }
        let detail = format!("Waiting jobs that the queue has given up: {}.", some(&ids));
        let remedy = "The log of WorkerFunction, or of CallerFunction for calls, says why; once that is cured, POST /api/v1/jobs/redrive queues them again.";
        Ok(Finding::warning("dead_letters", detail, remedy).about(ids))
    }

    async fn waiting(&self) -> Result<Finding, StoreError> {
        let limit = self.max_queued();
        if self.queue.is_longer_than(limit, None).await? {
            let detail = format!("More than {limit} jobs wait, so further submissions are refused (429).");
            let remedy = "Raise WorkerConcurrency or CallerConcurrency, or find out in the logs of WorkerFunction and CallerFunction why jobs take so long.";
            return Ok(Finding::warning("queue", detail, remedy));
        }
        let detail = format!("JobsQueue and CallsQueue answer; at most {limit} jobs wait.");
        Ok(Finding::ok("queue", detail))
    }

    async fn output(&self) -> Result<Finding, StoreError> {
        // a job that is not there: what counts is that the bucket answers
        self.logs.manifest(JobId::new(), 1).await?;
        Ok(Finding::ok("output", "The bucket can be read."))
    }

    async fn stored_credentials(&self) -> Result<Finding, StoreError> {
        let page = self.credentials.list(&Tenant::default(), None, CREDENTIALS).await?;
        let (many, more) = (page.credentials.len(), if page.has_more { " at least" } else { "" });
        let detail = format!("Secrets Manager answers; {many} credentials{more} are stored.");
        Ok(Finding::ok("credentials", detail))
    }

    /// A function with a variable that is not a valid registry does not start.
    async fn registered_services(&self) -> Finding {
        self.services.look().await;
        let registry = self.services.in_force().current();
        let (many, revision) = (registry.services.len(), &registry.revision);
        let Some(key) = self.services.key() else {
            let detail = if registry.services.is_empty() {
                "No services are registered: the parameters Services and ServicesKey are empty.".to_owned()
            } else {
                format!("The parameter Services has {many} services, revision {revision}.")
            };
            return Finding::ok("services", detail);
        };
        let Some(trouble) = self.services.trouble() else {
            return Finding::ok(
                "services",
                format!("The object {key} has {many} services, revision {revision}."),
            );
        };
        let instead = if self.services.in_force().is_unread() {
            "no service can be called".to_owned()
        } else {
            format!("revision {revision}, which was read before, stays in force")
        };
        let remedy = "Put a registry there that `callboard services check` accepts; it is read within half a minute.";
        let detail = format!("The registry of services {key} cannot be used, so {instead}: {trouble}.");
        Finding::fault("services", detail, remedy)
    }

    /// A function with a policy that cannot be read does not start.
    fn policy(&self) -> Finding {
        let detail = if self.policies == Default::default() {
            "There is no policy: requests reach nothing that needs permission."
        } else {
            "The policy of the parameter Policy can be read."
        };
        Finding::ok("policy", detail)
    }
}

fn newest(dead_letter: bool) -> HistoryQuery {
    HistoryQuery {
        tenant: Tenant::default(),
        filter: Filter {
            dead_letter,
            ..Filter::default()
        },
        limit: MAX_LIMIT,
        offset: 0,
        before: None,
    }
}

/// Makes a finding of what could not be asked.
async fn found(check: &'static str, asked: impl Future<Output = Result<Finding, StoreError>>) -> Finding {
    match asked.await {
        Ok(finding) => finding,
        Err(error) => Finding::fault(
            check,
            format!("It cannot be asked: {}.", causes(error.cause())),
            "Compare the function's role and variables with infra/template.yaml.",
        ),
    }
}
