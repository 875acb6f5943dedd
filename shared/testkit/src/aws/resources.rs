//! The template's table, queues and bucket, under unique names. They are not deleted, because the emulators keep them only in
//! memory.

mod bucket;
mod queue;
mod table;

use std::collections::BTreeMap;

use callboard_aws::{SdkConfig, s3_client};
use callboard_core::base::id::JobId;

use super::endpoints;
use super::template::Template;

/// Names and values of environment variables.
pub type Environment = BTreeMap<String, String>;

/// The resources of one deployment.
#[derive(Clone, Debug)]
pub struct Resources {
    /// The configuration of AWS clients.
    pub config: SdkConfig,
    /// The template that the resources were made from.
    pub template: Template,
    /// The name of `JobsTable`.
    pub table: String,
    /// The name of `LogsBucket`.
    pub bucket: String,
    /// The prefix of the names of credentials in Secrets Manager.
    pub secrets: String,
    /// `JobsQueue`.
    pub jobs: Queue,
    /// `CallsQueue`.
    pub calls: Queue,
    /// `JobsDeadLetterQueue`.
    pub dead_jobs: Queue,
    /// `IntakeQueue`.
    pub intake: Queue,
    /// `IntakeDeadLetterQueue`.
    pub dead_intake: Queue,
}

/// An SQS queue.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its URL, which identifies it in SQS's API.
    pub url: String,
    /// Its ARN.
    pub arn: String,
}

impl Resources {
    /// Makes all resources.
    ///
    /// # Errors
    /// The emulators are missing or refuse what the template asks for, or the template lacks something.
    pub async fn create() -> anyhow::Result<Self> {
        let (config, template) = (endpoints::sdk_config().await?, Template::load()?);
        let (dynamodb, s3) = (aws_sdk_dynamodb::Client::new(&config), s3_client(&config));
        let (name, sqs) = (JobId::new(), aws_sdk_sqs::Client::new(&config));
        let (table, bucket) = (format!("jobs-{name}"), format!("logs-{name}"));
        table::create(&dynamodb, &template.properties("JobsTable")?, &table).await?;
        bucket::create(&s3, &template.properties("LogsBucket")?, &bucket).await?;
        let queues = queue::Queues {
            client: &sqs,
            template: &template,
            name: name.to_string(),
        };
        let (jobs, dead_jobs) = queues.create_with_dead_letters("JobsQueue").await?;
        let calls = queues.create_with("CallsQueue", &dead_jobs).await?;
        let (intake, dead_intake) = queues.create_with_dead_letters("IntakeQueue").await?;
        Ok(Self {
            config,
            template,
            table,
            bucket,
            secrets: format!("callboard/{name}"),
            jobs,
            calls,
            dead_jobs,
            intake,
            dead_intake,
        })
    }

    /// Makes `AuditBucket`, which locks its objects for a day; returns its name.
    ///
    /// # Errors
    /// The emulator refuses what the template asks for, or the template lacks something.
    pub async fn create_audit_bucket(&self) -> anyhow::Result<String> {
        let name = format!("audit-{}", JobId::new());
        bucket::create_locked(&self.s3(), &self.template.properties("AuditBucket")?, &name).await?;
        Ok(name)
    }

    /// Makes a client of DynamoDB.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// Deletes the table, as an outage that does not end.
    ///
    /// # Errors
    /// DynamoDB refuses.
    pub async fn delete_table(&self) -> anyhow::Result<()> {
        self.dynamodb().delete_table().table_name(&self.table).send().await?;
        Ok(())
    }

    /// Makes a client of SQS.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// Makes a client of S3.
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        s3_client(&self.config)
    }

    /// Returns the variables that the template sets for a function, such as `SubmitFunction`, with the names of the resources made here.
    ///
    /// # Errors
    /// The template has no such function.
    pub fn environment(&self, function: &str) -> anyhow::Result<Environment> {
        let properties = self.template.properties(function)?;
        let all = self.template.at("/Globals/Function/Environment/Variables")?.variables();
        let own = properties.at("/Environment/Variables").map(|own| own.variables());
        let mut environment: Environment = all
            .into_iter()
            .chain(own.unwrap_or_default())
            .map(|(name, value)| (name.to_owned(), self.name_of(&value)))
            .collect();
        let timeout: u32 = properties.number("/Timeout")?;
        let memory: u32 = properties.number("/MemorySize")?;
        environment.insert("AWS_LAMBDA_FUNCTION_NAME".to_owned(), function.to_owned());
        environment.insert("AWS_LAMBDA_FUNCTION_TIMEOUT".to_owned(), timeout.to_string());
        environment.insert("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".to_owned(), memory.to_string());
        Ok(environment)
    }

    /// Returns what `!Ref` yields for a resource that was made here.
    fn name_of(&self, value: &str) -> String {
        let name = match value {
            "JobsTable" => &self.table,
            "LogsBucket" => &self.bucket,
            "JobsQueue" => &self.jobs.url,
            "CallsQueue" => &self.calls.url,
            "IntakeQueue" => &self.intake.url,
            "JobsDeadLetterQueue.Arn" => &self.dead_jobs.arn,
            "callboard/${AWS::StackName}" => &self.secrets,
            other => other,
        };
        name.to_owned()
    }
}
