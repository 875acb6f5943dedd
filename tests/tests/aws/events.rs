//! Events of EventBridge: only those of the stack's own bus become jobs, and only if it has one.

use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_core::base::id::JobId;
use callboard_tests::aws::ecs::{CLUSTER, GROUP};
use callboard_tests::aws::{Queue, Resources, Template, endpoints};
use serde_json::{Value, json};

use crate::{jobs, start, text};

/// How long a test waits for an event that has been put.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_stack_takes_no_events_unless_it_is_asked_to_and_then_those_of_its_own_bus_alone() -> anyhow::Result<()> {
    let template = Template::load()?;
    assert_eq!(template.at("/Parameters/EventBus/Default")?.text("")?, "NONE");
    assert_eq!(
        template.ids_of("AWS::Events::Rule"),
        ["JobRequestedRule", "TaskEndedRule"]
    );
    let condition = template.at("/Resources/TaskEndedRule/Condition")?;
    assert_eq!(condition.text("")?, "HasTasks");
    assert!(
        template
            .at("/Resources/SubmitFunction/Properties/Events/JobRequested")
            .is_err()
    );
    for resource in ["JobsEventBus", "JobRequestedRule", "JobRequestedPermission"] {
        let condition = template.at(&format!("/Resources/{resource}/Condition"))?;
        assert_eq!(condition.text("")?, "HasBus", "{resource}");
    }
    let (bus, rule) = (
        template.properties("JobsEventBus")?,
        template.properties("JobRequestedRule")?,
    );
    assert_eq!(rule.text("/EventBusName")?, "JobsEventBus");
    let permission = template.properties("JobRequestedPermission")?;
    assert_eq!(permission.text("/SourceArn")?, "JobRequestedRule.Arn");
    let statements = bus.list("/Policy/Statement")?;
    let denied = statements.last().context("the bus has a policy")?;
    let found = ["Effect", "Principal", "Action"].map(|name| denied.text(&format!("/{name}")));
    let found: Vec<_> = found.into_iter().collect::<anyhow::Result<_>>()?;
    assert_eq!(found, ["Deny", "*", "events:PutEvents"]);
    Ok(())
}

#[tokio::test]
async fn an_event_on_the_stacks_bus_runs_once_and_one_on_the_accounts_bus_not_at_all() -> anyhow::Result<()> {
    let stack = start()?;
    let (client, resources) = (stack.client(), &stack.resources);
    let (bus, target) = (format!("callboard-{}", JobId::new()), target(resources).await?);
    lead(resources, &bus, &target).await?;
    put(resources, "default", "lost").await?;
    put(resources, &bus, "found").await?;
    let event = received(resources, &target).await?;
    assert_eq!(event["detail"]["extra_vars"]["greeting"], "found", "{event}");
    let first = stack.submit.invoke(event.clone()).await?;
    let again = stack.submit.invoke(event).await?;
    assert_eq!(first["job_id"], again["job_id"]);
    let job = client.ended(text(&first, "job_id")?).await?;
    assert_eq!(
        (&job["status"], &job["attempt"]),
        (&json!("successful"), &json!(1)),
        "{job}"
    );
    assert_eq!(jobs(&client).await?.len(), 1);
    let receive = resources.sqs().receive_message().queue_url(&target.url);
    let more = receive.wait_time_seconds(3).send().await?.messages;
    assert!(more.unwrap_or_default().is_empty(), "the other event came too");
    Ok(())
}

/// By the emulator's own idea of patterns and transformers.
#[tokio::test]
async fn the_end_of_a_task_becomes_a_message_for_the_callers() -> anyhow::Result<()> {
    let resources = Resources::create().await?;
    let rule = resources.template.properties("TaskEndedRule")?;
    let list = |pointer: &str| anyhow::Ok(json!([rule.text(&format!("{pointer}/0"))?]));
    let pattern = json!({
        "source": list("/EventPattern/source")?,
        "detail-type": list("/EventPattern/detail-type")?,
        "detail": {"clusterArn": [CLUSTER], "group": [GROUP], "lastStatus": list("/EventPattern/detail/lastStatus")?},
    });
    let transformer = json!({
        "InputPathsMap": {"job": rule.text("/Targets/0/InputTransformer/InputPathsMap/job")?},
        "InputTemplate": rule.text("/Targets/0/InputTransformer/InputTemplate")?,
    });
    let name = format!("ended-{}", JobId::new());
    call("PutRule", &json!({"Name": name, "EventPattern": pattern.to_string()})).await?;
    let target = json!({"Id": "queue", "Arn": resources.calls.arn, "InputTransformer": transformer});
    call("PutTargets", &json!({"Rule": name, "Targets": [target]})).await?;
    let mut event = crate::event("ecs-task-stopped.json")?;
    event["detail"]["clusterArn"] = CLUSTER.into();
    event["detail"]["group"] = GROUP.into();
    let (stopped, mut running) = (event["detail"].clone(), event["detail"].clone());
    running["lastStatus"] = "RUNNING".into();
    for detail in [running, stopped] {
        let entry =
            json!({"Source": event["source"], "DetailType": event["detail-type"], "Detail": detail.to_string()});
        let answer = call("PutEvents", &json!({"Entries": [entry]})).await?;
        ensure!(answer["FailedEntryCount"] == 0, "{answer}");
    }
    let message = received(&resources, &resources.calls).await?;
    ensure!(
        message == json!({"job_id": event["detail"]["startedBy"], "look": true}),
        "{message}"
    );
    let receive = resources.sqs().receive_message().queue_url(&resources.calls.url);
    let more = receive.wait_time_seconds(3).send().await?.messages;
    ensure!(more.unwrap_or_default().is_empty(), "a task that runs is told, too");
    Ok(())
}

/// Makes a bus with the template's rule, which leads to a queue here: the emulator runs no functions.
async fn lead(resources: &Resources, bus: &str, target: &Queue) -> anyhow::Result<()> {
    let rule = resources.template.properties("JobRequestedRule")?;
    let texts = |pointer| {
        let parts = rule.list(pointer)?.into_iter();
        parts
            .map(|part| Ok(part.text("")?.to_owned()))
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let pattern = json!({
        "source": texts("/EventPattern/source")?,
        "detail-type": texts("/EventPattern/detail-type")?,
    });
    let targets = json!([{"Id": "queue", "Arn": target.arn}]);
    call("CreateEventBus", &json!({"Name": bus})).await?;
    let made = json!({"Name": "requested", "EventBusName": bus, "EventPattern": pattern.to_string()});
    call("PutRule", &made).await?;
    let led = json!({"Rule": "requested", "EventBusName": bus, "Targets": targets});
    call("PutTargets", &led).await.map(drop)
}

async fn put(resources: &Resources, bus: &str, greeting: &str) -> anyhow::Result<()> {
    let rule = resources.template.properties("JobRequestedRule")?;
    let detail = json!({"playbook": "hello.yml", "extra_vars": {"greeting": greeting}});
    let entry = json!({
        "EventBusName": bus,
        "Source": rule.text("/EventPattern/source/0")?,
        "DetailType": rule.text("/EventPattern/detail-type/0")?,
        "Detail": detail.to_string(),
    });
    let answer = call("PutEvents", &json!({"Entries": [entry]})).await?;
    ensure!(answer["FailedEntryCount"] == 0, "{answer}");
    Ok(())
}

/// Calls EventBridge. The emulator reads of a signature only for which service it is.
async fn call(action: &str, body: &Value) -> anyhow::Result<Value> {
    let scope = "Credential=test/20261120/us-east-1/events/aws4_request";
    let request = callboard_tests::http::client().post(endpoints::url()?);
    let request = request
        .header("X-Amz-Target", format!("AWSEvents.{action}"))
        .header("Content-Type", "application/x-amz-json-1.1")
        .header(
            "Authorization",
            format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"),
        );
    let answer = request.body(body.to_string()).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{action}: {status} {text}");
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

async fn target(resources: &Resources) -> anyhow::Result<Queue> {
    let create = resources
        .sqs()
        .create_queue()
        .queue_name(format!("events-{}", JobId::new()));
    let url = create.send().await?.queue_url.context("a queue has a URL")?;
    let name = url.rsplit('/').next().unwrap_or_default();
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{name}");
    Ok(Queue { url, arn })
}

async fn received(resources: &Resources, queue: &Queue) -> anyhow::Result<Value> {
    let receiving = async {
        loop {
            let receive = resources.sqs().receive_message().queue_url(&queue.url);
            let messages = receive.wait_time_seconds(5).send().await?.messages.unwrap_or_default();
            if let Some(message) = messages.first() {
                let delete = resources.sqs().delete_message().queue_url(&queue.url);
                delete.set_receipt_handle(message.receipt_handle.clone()).send().await?;
                return Ok(serde_json::from_str(message.body().unwrap_or_default())?);
            }
        }
    };
    tokio::time::timeout(LIMIT, receiving).await.context("no event came")?
}
