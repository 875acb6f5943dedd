//! The playbook that runs a role: written for the job, with the role's variables as they were given.

use serde_json::{Map, Value};

/// Writes a playbook that runs one role on every host; Ansible evaluates no templates in literal variables.
pub(crate) fn playbook(role: &str, vars: &Map<String, Value>, literal: bool) -> String {
    let role = quoted(role);
    let mut text = format!("- name: {role}\n  hosts: all\n  roles:\n    - role: {role}\n");
    if !vars.is_empty() {
        // on the whole: a single string with this tag would become what it looks like, such as a number or a date
        let tag = if literal { "!unsafe " } else { "" };
        let mut yaml = String::new();
        write_map(vars, &mut yaml);
        text.push_str(&format!("      vars: {tag}{yaml}\n"));
    }
    text
}

/// Writes a value in YAML's flow style, which is the same as JSON's.
fn write(value: &Value, yaml: &mut String) {
    match value {
        Value::String(text) => yaml.push_str(&quoted(text)),
        Value::Array(items) => {
            yaml.push('[');
            for item in items {
                write(item, yaml);
                yaml.push_str(", ");
            }
            yaml.push(']');
        }
        Value::Object(entries) => write_map(entries, yaml),
        other => yaml.push_str(&other.to_string()),
    }
}

fn write_map(entries: &Map<String, Value>, yaml: &mut String) {
    yaml.push('{');
    for (name, value) in entries {
        yaml.push_str(&quoted(name));
        yaml.push_str(": ");
        write(value, yaml);
        yaml.push_str(", ");
    }
    yaml.push('}');
}

/// Writes a text between double quotes; escapes what YAML readers may refuse or take for a line break.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            ' '..='~' => quoted.push(char),
            _ => quoted.push_str(&format!("\\U{:08x}", u32::from(char))),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_written_as_data_unless_templates_are_wanted() {
        let vars = json!({"a": "{{ x }}", "b\n": [1, null, {"c": "\u{2028}é\""}]});
        let vars = vars.as_object().cloned().unwrap_or_default();
        let text = playbook("nginx", &vars, true);
        assert!(
            text.starts_with("- name: \"nginx\"\n  hosts: all\n  roles:\n    - role: \"nginx\"\n      vars: !unsafe {"),
            "{text}"
        );
        assert!(text.contains(r#""a": "{{ x }}""#), "{text}");
        assert!(
            text.contains(r#""b\U0000000a": [1, null, {"c": "\U00002028\U000000e9\"", }, ]"#),
            "{text}"
        );
        assert!(!playbook("nginx", &vars, false).contains("!unsafe"));
    }
}
