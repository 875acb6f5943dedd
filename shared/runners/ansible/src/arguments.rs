//! From a request's options to the flags and variables of `ansible-playbook`.

use std::collections::BTreeMap;

use callboard_core::options::Options;

/// Returns the flags.
pub(crate) fn arguments(options: &Options) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut flag = |set: bool, name: &str| {
        if set {
            arguments.push(name.to_owned());
        }
    };
    flag(options.check, "--check");
    flag(options.diff, "--diff");
    flag(options.r#become, "--become");
    flag(options.flush_cache, "--flush-cache");
    flag(
        options.verbosity > 0,
        &format!("-{}", "v".repeat(options.verbosity.into())),
    );
    arguments.extend(options.tags.iter().map(|tag| format!("--tags={tag}")));
    arguments.extend(options.skip_tags.iter().map(|tag| format!("--skip-tags={tag}")));
    arguments.extend(options.forks.iter().map(|forks| format!("--forks={forks}")));
    let texts = [
        ("--limit", &options.limit),
        ("--start-at-task", &options.start_at_task),
        ("--become-user", &options.become_user),
        ("--become-method", &options.become_method),
        ("--user", &options.remote_user),
        ("--connection", &options.connection),
    ];
    arguments.extend(
        texts
            .iter()
            .filter_map(|(flag, text)| text.as_ref().map(|text| format!("{flag}={text}"))),
    );
    arguments
}

/// Returns the variables: those that the request gives, and those of options that have no flag.
pub(crate) fn variables(options: &Options) -> BTreeMap<String, String> {
    let mut variables = options.environment.clone();
    variables.extend(
        options
            .strategy
            .iter()
            .map(|strategy| ("ANSIBLE_STRATEGY".to_owned(), strategy.clone())),
    );
    variables
}
