//! Tasks: starts, finds and stops them.

use callboard_core::base::time::Timestamp;
use callboard_core::job::Job;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Aws, Fault, Service, is_limit};
use crate::definition::Definition;
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
    /// It may have been: there is no answer.
    Unanswered(String),
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

    /// Starts the task of an attempt, once however often this is called. An attempt that was put back is another one: ECS may repeat what
    /// it has answered to a token.
    pub(crate) async fn run(&self, job: &Job, definition: &Definition, overrides: Value) -> Result<Task, Unstarted> {
        let began = job.state.started_at.map_or(0, Timestamp::as_millis);
        let input = json!({
            "cluster": self.settings.cluster,
            "taskDefinition": definition.task_definition_arn,
            "launchType": "FARGATE",
            "count": 1,
            "startedBy": job.id.to_string(),
            "group": self.settings.group,
            "clientToken": format!("{}-{}", job.id, began),
            "networkConfiguration": self.settings.network(),
            "overrides": overrides,
        });
        let started: Result<Tasks, Fault> = self.aws.call(Service::Ecs, "RunTask", &input).await;
        let answer = started.map_err(|fault| match fault {
            fault if fault.is_shortage() => Unstarted::Shortage(fault.into_told()),
            Fault::Refused { told, .. } => Unstarted::Otherwise(told),
            Fault::Unanswered(told) => Unstarted::Unanswered(told),
        })?;
        answer.tasks.into_iter().next().ok_or_else(|| {
            let told: Vec<String> = answer.failures.iter().map(Failure::told).collect();
            let told = format!("RunTask of AWS (ecs): {}", told.join("; "));
            if is_limit(&told) {
                Unstarted::Shortage(told)
            } else {
                Unstarted::Otherwise(told)
            }
        })
    }

    /// Finds the task of a job that runs.
    pub(crate) async fn running(&self, job: &Job) -> Result<Option<String>, Fault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            #[serde(default)]
            task_arns: Vec<String>,
        }
        let input = json!({"cluster": self.settings.cluster, "startedBy": job.id.to_string()});
        let answer: Answer = self.aws.call(Service::Ecs, "ListTasks", &input).await?;
        Ok(answer.task_arns.into_iter().next())
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

impl Failure {
    fn told(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {detail}", self.reason),
            None => self.reason.clone(),
        }
    }
}
