//! Turns a job's options into flags and variables for its `ansible-playbook`.

use std::collections::BTreeMap;

use callboard_kind_ansible::options::AnsibleOptions;

/// Returns the `ansible-playbook` flags for a job's options.
#[must_use]
pub fn flags_of(options: &AnsibleOptions) -> Vec<String> {
    let verbosity = "v".repeat(options.verbosity.into());
    let flags = [
        (options.check, "--check"),
        (options.diff, "--diff"),
        (options.r#become, "--become"),
        (options.flush_cache, "--flush-cache"),
    ];
    let forks = options.forks.map(|forks| forks.to_string());
    let values = [
        ("--limit", &options.limit),
        ("--forks", &forks),
        ("--start-at-task", &options.start_at_task),
        ("--become-user", &options.become_user),
        ("--become-method", &options.become_method),
        ("--user", &options.remote_user),
        ("--connection", &options.connection),
    ];
    let mut arguments = Vec::new();
    arguments.extend((options.verbosity > 0).then(|| format!("-{verbosity}")));
    arguments.extend(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_owned()));
    arguments.extend(options.tags.iter().map(|tag| format!("--tags={tag}")));
    arguments.extend(options.skip_tags.iter().map(|tag| format!("--skip-tags={tag}")));
    let given = |(flag, value): (&str, &Option<String>)| value.as_ref().map(|value| format!("{flag}={value}"));
    arguments.extend(values.into_iter().filter_map(given));
    arguments
}

/// Returns the environment variables for a job's options; an option of its own takes precedence over `environment`.
pub(crate) fn variables(options: &AnsibleOptions) -> BTreeMap<String, String> {
    let mut variables = options.environment.clone();
    if let Some(strategy) = &options.strategy {
        variables.insert("ANSIBLE_STRATEGY".to_owned(), strategy.clone());
    }
    variables
}
