//! Plays ECS and CloudWatch Logs: no emulator runs the containers of tasks. This one does, by Docker, and gives its answers the shape of
//! AWS's; what its events become is read from the template.

mod docker;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::docker::Docker;

/// The cluster.
pub const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/jobs";
/// The group of the stack's tasks.
pub const GROUP: &str = "callboard-test";
/// The image of the tests of containers.
pub const IMAGE: &str = "callboard-test/tool:1";
/// The log group of the tasks.
const LOGS: &str = "/ecs/tool";
/// How many events a page of a log has.
const PAGE: usize = 3;

/// The services. They stop with their test.
#[derive(Clone)]
pub struct Ecs {
    /// The address of both services.
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    docker: Docker,
    tasks: Mutex<HashMap<String, Task>>,
    /// How often each operation was asked for.
    asked: Mutex<HashMap<String, usize>>,
    /// How many of the next tasks there is no room for.
    crowded: AtomicUsize,
    /// Whether tasks are started, and nobody is told.
    silent: AtomicBool,
    /// After how many events the answers to who reads a log stop coming.
    readable: AtomicUsize,
    ended: UnboundedSender<Value>,
}

#[derive(Clone, Debug, Default)]
struct Task {
    token: String,
    started_by: String,
    group: String,
    definition: String,
    overrides: Value,
    created_at: f64,
    stopped_at: Option<f64>,
    stop_code: &'static str,
    stopped_reason: String,
    exit_code: Option<i32>,
    digest: Option<String>,
    log: Vec<String>,
}

type Answer = Result<Value, (&'static str, String)>;

impl Ecs {
    /// Starts the services. The events of tasks that have ended come from the receiver.
    ///
    /// # Errors
    /// There is no Docker engine.
    pub async fn start() -> anyhow::Result<(Self, UnboundedReceiver<Value>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (ended, events) = unbounded_channel();
        let ecs = Self {
            url: format!("http://{}", listener.local_addr()?),
            shared: Arc::new(Shared {
                docker: Docker::from_environment()?,
                tasks: Mutex::default(),
                asked: Mutex::default(),
                crowded: AtomicUsize::new(0),
                silent: AtomicBool::new(false),
                readable: AtomicUsize::new(usize::MAX),
                ended,
            }),
        };
        let router = Router::new().route("/", post(answer)).with_state(ecs.shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((ecs, events))
    }

    /// Returns how often an operation was asked for, such as `RunTask`.
    #[must_use]
    pub fn asked(&self, operation: &str) -> usize {
        lock(&self.shared.asked).get(operation).copied().unwrap_or(0)
    }

    /// Has no room for so many of the next tasks.
    pub fn crowd(&self, tasks: usize) {
        self.shared.crowded.store(tasks, Ordering::SeqCst);
    }

    /// Starts tasks without an answer, or answers again.
    pub fn silence(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
    }

    /// Answers whoever reads a log for so many events only.
    pub fn let_read(&self, events: usize) {
        self.shared.readable.store(events, Ordering::SeqCst);
    }

    /// Returns how many tasks were started.
    #[must_use]
    pub fn tasks(&self) -> usize {
        lock(&self.shared.tasks).len()
    }

    /// Returns how many tasks run.
    #[must_use]
    pub fn running(&self) -> usize {
        let tasks = lock(&self.shared.tasks);
        tasks.values().filter(|task| task.stopped_at.is_none()).count()
    }

    /// Makes what AWS's rule makes of the event of a task that has ended, if the rule is for it.
    ///
    /// # Errors
    /// The template has no such rule.
    pub fn message(template: &super::Template, event: &Value) -> anyhow::Result<Option<String>> {
        let rule = template.properties("TaskEndedRule")?;
        let target = rule.at("/Targets/0")?;
        anyhow::ensure!(target.text("/Arn")? == "CallsQueue.Arn", "the rule has another target");
        let texts = |pointer: &str| anyhow::Ok(rule.at(pointer)?.text("/0")?);
        let fits = event["source"] == texts("/EventPattern/source")?
            && event["detail-type"] == texts("/EventPattern/detail-type")?
            && event["detail"]["lastStatus"] == texts("/EventPattern/detail/lastStatus")?
            && event["detail"]["group"] == GROUP
            && event["detail"]["clusterArn"] == CLUSTER;
        if !fits {
            return Ok(None);
        }
        let path = target.text("/InputTransformer/InputPathsMap/job")?;
        let pointer = path.strip_prefix('$').context("a path")?.replace('.', "/");
        let value = event.pointer(&pointer).context("the path leads nowhere")?;
        let written = target.text("/InputTransformer/InputTemplate")?;
        Ok(Some(written.replace("<job>", &value.to_string())))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for id in lock(&self.tasks).keys() {
            self.docker.remove(id);
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Value>) {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
    let signed = headers
        .get("authorization")
        .is_some_and(|value| value.to_str().is_ok_and(|value| value.starts_with("AWS4-HMAC-SHA256")));
    let input: Value = serde_json::from_slice(&body).unwrap_or_default();
    *lock(&shared.asked).entry(operation.to_owned()).or_default() += 1;
    let answered = match operation {
        _ if !signed => Err(("MissingAuthenticationToken", "not signed".to_owned())),
        "DescribeTaskDefinition" => definition(&input),
        "RunTask" => shared.run(&input).await,
        "DescribeTasks" => Ok(shared.describe(&input)),
        "ListTasks" => Ok(shared.list(&input)),
        "StopTask" => shared.stop(&input),
        "GetLogEvents" => shared.log(&input).await,
        other => Err(("InvalidAction", other.to_owned())),
    };
    match answered {
        Ok(answer) => (StatusCode::OK, Json(answer)),
        Err((kind, message)) => (
            StatusCode::BAD_REQUEST,
            Json(json!({"__type": format!("com.amazonaws#{kind}"), "message": message})),
        ),
    }
}

/// Describes a task definition: `tool`, which is as it should be, or one that lacks what its name says.
fn definition(input: &Value) -> Answer {
    let named = input["taskDefinition"].as_str().unwrap_or_default();
    let family = named.rsplit('/').next().unwrap_or_default().trim_end_matches(":7");
    let mut container = json!({
        "name": "main", "image": IMAGE, "user": "65534", "readonlyRootFilesystem": true,
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
        "logConfiguration": {"logDriver": "awslogs", "options": {
            "awslogs-group": LOGS, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "tool",
        }},
    });
    match family {
        "tool" => {}
        "tool-as-root" => container["user"] = Value::Null,
        "tool-without-logs" => container["logConfiguration"] = Value::Null,
        "tool-without-image" => container["image"] = "callboard-test/absent:1".into(),
        _ => return Err(("ClientException", "Unable to describe task definition.".to_owned())),
    }
    Ok(json!({"taskDefinition": {
        "taskDefinitionArn": format!("arn:aws:ecs:us-east-1:123456789012:task-definition/{family}:7"),
        "cpu": "256", "memory": "512", "networkMode": "awsvpc",
        "containerDefinitions": [{"name": "sidecar", "image": "callboard-test/other:1"}, container],
    }}))
}

impl Shared {
    async fn run(self: &Arc<Self>, input: &Value) -> Answer {
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

    fn describe(&self, input: &Value) -> Value {
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

    fn list(&self, input: &Value) -> Value {
        let tasks = lock(&self.tasks);
        let running = tasks
            .iter()
            .filter(|(_, task)| task.stopped_at.is_none() && input["startedBy"] == task.started_by.as_str());
        json!({"taskArns": running.map(|(id, _)| arn(id)).collect::<Vec<_>>()})
    }

    fn stop(&self, input: &Value) -> Answer {
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

    async fn log(&self, input: &Value) -> Answer {
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
