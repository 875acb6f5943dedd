//! The task definitions that there are.

use serde_json::{Value, json};

use super::{Answer, IMAGE};

/// The log group of the tasks.
const LOGS: &str = "/ecs/tool";

/// Describes a task definition: `tool`, which is as it should be, or one that lacks what its name says.
pub(super) fn definition(input: &Value) -> Answer {
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
