//! Tasks: starts, finds and stops them.

use std::hash::{DefaultHasher, Hash, Hasher};

use callboard_core::job::Job;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Aws, Fault, Service};
use crate::definition::Definition;
use crate::plan::OPERATION;
use crate::settings::Settings;

/// What is read of a task.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task {
    pub(crate) task_arn: String,
    pub(crate) task_definition_arn: String,
    pub(crate) last_status: String,
    #[serde(default)]
    pub(crate) stop_code: String,
    #[serde(default)]
    pub(crate) stopped_reason: String,
    /// Seconds since the Unix epoch, as each of these times.
    pub(crate) stopped_at: Option<f64>,
    pub(crate) pull_started_at: Option<f64>,
    pub(crate) created_at: Option<f64>,
    /// Its processors, in 1,024ths.
    pub(crate) cpu: Option<String>,
    /// Its memory, in MiB.
    pub(crate) memory: Option<String>,
    #[serde(default)]
    pub(crate) containers: Vec<TaskContainer>,
    #[serde(default)]
    overrides: Value,
}

/// What is read of a task's container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskContainer {
    pub(crate) name: String,
    pub(crate) exit_code: Option<i32>,
    pub(crate) reason: Option<String>,
    pub(crate) image_digest: Option<String>,
}

impl Task {
    pub(crate) fn has_ended(&self) -> bool {
        self.last_status == "STOPPED"
    }

    /// Returns whether the task was started for an operation.
    fn is_of(&self, operation: &str) -> bool {
        let containers = self.overrides["containerOverrides"].as_array();
        let mut variables = containers
            .into_iter()
            .flatten()
            .filter_map(|container| container["environment"].as_array());
        variables.any(|variables| {
            variables
                .iter()
                .any(|variable| variable["name"] == OPERATION && variable["value"] == operation)
        })
    }

    /// Returns the last part of the ARN.
    pub(crate) fn id(&self) -> &str {
        id(&self.task_arn)
    }
}

/// Returns the last part of a task's ARN.
pub(crate) fn id(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[derive(Deserialize)]
struct Tasks {
    #[serde(default)]
    tasks: Vec<Task>,
    #[serde(default)]
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    reason: String,
    detail: Option<String>,
}

/// Why a task was not started.
pub(crate) enum Unstarted {
    /// There is no room for it now.
    Shortage(String),
    /// For another reason, as a part of a sentence.
    Otherwise(String),
}

/// The tasks of a cluster.
pub(crate) struct Cluster<'a> {
    pub(crate) aws: Aws<'a>,
    pub(crate) settings: &'a Settings,
}

impl Cluster<'_> {
    pub(crate) async fn definition(&self, name: &str) -> Result<Definition, Fault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            task_definition: Definition,
        }
        let input = json!({"taskDefinition": name});
        let answer: Answer = self.aws.call(Service::Ecs, "DescribeTaskDefinition", &input).await?;
        Ok(answer.task_definition)
    }

    /// Starts the task of an attempt, once however often this is called.
    pub(crate) async fn run(
        &self,
        job: &Job,
        operation: &str,
        definition: &Definition,
        container: Value,
    ) -> Result<Task, Unstarted> {
        let input = json!({
            "cluster": self.settings.cluster,
            "taskDefinition": definition.task_definition_arn,
            "launchType": "FARGATE",
            "count": 1,
            "startedBy": job.id.to_string(),
            "group": self.settings.group,
            "clientToken": format!("{}-{}-{:x}", job.id, job.state.attempt, hash(operation)),
            "networkConfiguration": self.settings.network(),
            "overrides": {"containerOverrides": [container]},
        });
        let started: Result<Tasks, Fault> = self.aws.call(Service::Ecs, "RunTask", &input).await;
        let answer = started.map_err(|fault| {
            if fault.is_shortage() {
                Unstarted::Shortage(fault.into_told())
            } else {
                Unstarted::Otherwise(fault.into_told())
            }
        })?;
        answer.tasks.into_iter().next().ok_or_else(|| {
            let told: Vec<String> = answer.failures.iter().map(Failure::told).collect();
            let told = format!("RunTask of AWS (ecs): {}", told.join("; "));
            let is_shortage = |failure: &Failure| {
                failure.reason.starts_with("RESOURCE") || failure.reason.to_lowercase().contains("capacity")
            };
            if answer.failures.iter().any(is_shortage) {
                Unstarted::Shortage(told)
            } else {
                Unstarted::Otherwise(told)
            }
        })
    }

    /// Finds the task of a job that runs for an operation, such as that of an attempt whose worker was lost.
    pub(crate) async fn running(&self, job: &Job, operation: &str) -> Result<Option<Task>, Fault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            #[serde(default)]
            task_arns: Vec<String>,
        }
        let input = json!({"cluster": self.settings.cluster, "startedBy": job.id.to_string()});
        let answer: Answer = self.aws.call(Service::Ecs, "ListTasks", &input).await?;
        for arn in answer.task_arns {
            if let Some(task) = self.task(&arn).await?.filter(|task| task.is_of(operation)) {
                return Ok(Some(task));
            }
        }
        Ok(None)
    }

    /// Describes a task; `None` if ECS no longer knows it.
    pub(crate) async fn task(&self, arn: &str) -> Result<Option<Task>, Fault> {
        let input = json!({"cluster": self.settings.cluster, "tasks": [arn]});
        let answer: Tasks = self.aws.call(Service::Ecs, "DescribeTasks", &input).await?;
        Ok(answer.tasks.into_iter().next())
    }

    /// Asks a task to stop: its containers get SIGTERM, and SIGKILL after their `stopTimeout`.
    pub(crate) async fn stop(&self, arn: &str, reason: &str) -> Result<(), Fault> {
        let input = json!({"cluster": self.settings.cluster, "task": arn, "reason": reason});
        let answer: Result<Value, Fault> = self.aws.call(Service::Ecs, "StopTask", &input).await;
        answer.map(drop)
    }
}

/// Returns a number that tells operations apart; a token has too little room for their names.
fn hash(operation: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    operation.hash(&mut hasher);
    hasher.finish()
}

impl Failure {
    fn told(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {detail}", self.reason),
            None => self.reason.clone(),
        }
    }
}
