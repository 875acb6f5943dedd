//! Tasks: what ECS and CloudWatch Logs do with them, and say of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Answer, CLUSTER, IMAGE, Shared, lock};

/// How many events a page of a log has.
const PAGE: usize = 3;

/// A task, and what its container has printed.
#[derive(Clone, Debug, Default)]
pub(super) struct Task {
    token: String,
    started_by: String,
    group: String,
    definition: String,
    overrides: Value,
    created_at: f64,
    pub(super) stopped_at: Option<f64>,
    stop_code: &'static str,
    stopped_reason: String,
    exit_code: Option<i32>,
    digest: Option<String>,
    log: Vec<String>,
}

impl Shared {
    pub(super) async fn run(self: &Arc<Self>, input: &Value) -> Answer {
        let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
        let subnets = &input["networkConfiguration"]["awsvpcConfiguration"]["subnets"];
        if text("cluster") != CLUSTER || text("launchType") != "FARGATE" || subnets != &json!(["subnet-1", "subnet-2"])
        {
            return Err(("InvalidParameterException", input.to_string()));
        }
        let known = |task: &&(String, Task)| task.1.token == text("clientToken");
        let tasks: Vec<(String, Task)> = lock(&self.tasks)
            .iter()
            .map(|(id, task)| (id.clone(), task.clone()))
            .collect();
        if let Some((id, task)) = tasks.iter().find(known) {
            return Ok(json!({"tasks": [described(id, task)], "failures": []}));
        }
        let crowded = |left: usize| left.checked_sub(1);
        if self
            .crowded
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, crowded)
            .is_ok()
        {
            return Ok(json!({"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time."}]}));
        }
        let definition = text("taskDefinition");
        let container = &input["overrides"]["containerOverrides"][0];
        let id = text("clientToken").replace('-', "");
        let task = Task {
            token: text("clientToken"),
            started_by: text("startedBy"),
            group: text("group"),
            definition: definition.clone(),
            overrides: input["overrides"].clone(),
            created_at: now(),
            ..Task::default()
        };
        lock(&self.tasks).insert(id.clone(), task.clone());
        let image = if definition.contains("without-image") {
            "callboard-test/absent:1"
        } else {
            IMAGE
        };
        tokio::spawn(Arc::clone(self).follow(id.clone(), image, container.clone()));
        if self.silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(json!({"tasks": [described(&id, &task)], "failures": []}))
    }

    /// Runs a task's container to its end.
    async fn follow(self: Arc<Self>, id: String, image: &'static str, container: Value) {
        match self.docker.run(&id, image, &container).await {
            Ok(digest) => {
                if let Some(task) = lock(&self.tasks).get_mut(&id) {
                    task.digest = Some(digest);
                }
            }
            Err(error) => {
                return self.end(&id, |task| {
                    task.stop_code = "TaskFailedToStart";
                    task.stopped_reason = format!("CannotPullContainerError: {error}");
                });
            }
        }
        let ended = self.docker.wait(&id).await;
        let log = self.docker.log(&id).await;
        self.docker.remove(&id);
        self.end(&id, |task| {
            task.exit_code = ended.ok();
            task.log = log.unwrap_or_default();
            if task.stop_code.is_empty() {
                task.stop_code = "EssentialContainerExited";
                "Essential container in task exited".clone_into(&mut task.stopped_reason);
            }
        });
    }

    fn end(&self, id: &str, change: impl FnOnce(&mut Task)) {
        let mut tasks = lock(&self.tasks);
        let Some(task) = tasks.get_mut(id) else { return };
        change(task);
        task.stopped_at = Some(now());
        let _unheard = self.ended.send(json!({
            "source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": described(id, task),
        }));
    }

    pub(super) fn describe(&self, input: &Value) -> Value {
        let tasks = lock(&self.tasks);
        let asked = input["tasks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let found = asked.filter_map(|arn| {
            let (id, task) = tasks.get_key_value(arn.rsplit('/').next()?)?;
            Some(described(id, task))
        });
        json!({"tasks": found.collect::<Vec<_>>(), "failures": []})
    }

    pub(super) fn list(&self, input: &Value) -> Value {
        let tasks = lock(&self.tasks);
        let running = tasks
            .iter()
            .filter(|(_, task)| task.stopped_at.is_none() && input["startedBy"] == task.started_by.as_str());
        json!({"taskArns": running.map(|(id, _)| arn(id)).collect::<Vec<_>>()})
    }

    pub(super) fn stop(&self, input: &Value) -> Answer {
        let arn = input["task"].as_str().unwrap_or_default();
        let id = arn.rsplit('/').next().unwrap_or_default();
        let mut tasks = lock(&self.tasks);
        let task = tasks
            .get_mut(id)
            .ok_or(("InvalidParameterException", "no such task".to_owned()))?;
        if task.stop_code.is_empty() {
            task.stop_code = "UserInitiated";
            input["reason"]
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut task.stopped_reason);
            self.docker.stop(id);
        }
        Ok(json!({"task": described(id, task)}))
    }

    pub(super) async fn log(&self, input: &Value) -> Answer {
        let stream = input["logStreamName"].as_str().unwrap_or_default();
        let absent = || {
            (
                "ResourceNotFoundException",
                "The specified log stream does not exist.".to_owned(),
            )
        };
        let id = stream.strip_prefix("tool/main/").ok_or_else(absent)?;
        let log = lock(&self.tasks).get(id).map(|task| task.log.clone());
        let log = log.filter(|log| !log.is_empty()).ok_or_else(absent)?;
        let from: usize = input["nextToken"]
            .as_str()
            .and_then(|token| token.parse().ok())
            .unwrap_or(0);
        if from >= self.readable.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let page: Vec<Value> = log
            .iter()
            .skip(from)
            .take(PAGE)
            .map(|line| json!({"message": line, "timestamp": 1}))
            .collect();
        Ok(json!({"events": page, "nextForwardToken": (from + page.len()).to_string(), "nextBackwardToken": "b"}))
    }
}

fn described(id: &str, task: &Task) -> Value {
    let status = if task.stopped_at.is_some() {
        "STOPPED"
    } else {
        "RUNNING"
    };
    let mut described = json!({
        "taskArn": arn(id), "taskDefinitionArn": task.definition, "clusterArn": CLUSTER, "lastStatus": status,
        "overrides": task.overrides, "group": task.group, "startedBy": task.started_by, "createdAt": task.created_at, "cpu": "256", "memory": "512",
        "containers": [{"name": "sidecar"}, {"name": "main", "exitCode": task.exit_code, "imageDigest": task.digest}],
    });
    if let Some(stopped) = task.stopped_at {
        described["stoppedAt"] = stopped.into();
        described["stopCode"] = task.stop_code.into();
        described["stoppedReason"] = task.stopped_reason.as_str().into();
    }
    described
}

fn arn(id: &str) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:task/jobs/{id}")
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
