//! Names that have a fixed meaning in Ansible's events, even if a job's secret is the same word.

use callboard_core::redact::Names;

/// The names that the redactor leaves unchanged.
pub const NAMES: Names = Names {
    counts: COUNTS,
    fields: RESULT_NAMES,
};

/// The names of the per-host counts in the event at a playbook's end: the numbers in them are counts.
const COUNTS: &[&[u8]] = &[
    br#""changed""#,
    br#""dark""#,
    br#""failures""#,
    br#""ignored""#,
    br#""ok""#,
    br#""processed""#,
    br#""rescued""#,
    br#""skipped""#,
];
/// The names that Ansible uses in task results, at any depth.
const RESULT_NAMES: &[&str] = &[
    "action",
    "after",
    "after_header",
    "aggregate",
    "ansible_facts",
    "ansible_index_var",
    "ansible_job_id",
    "ansible_loop_var",
    "ansible_stats",
    "attempts",
    "before",
    "before_header",
    "censored",
    "changed",
    "checksum",
    "cmd",
    "content",
    "data",
    "delta",
    "deprecations",
    "dest",
    "diff",
    "end",
    "exception",
    "exists",
    "failed",
    "false_condition",
    "finished",
    "group",
    "groups",
    "host",
    "host_name",
    "host_vars",
    "hosts",
    "invocation",
    "item",
    "mode",
    "module_args",
    "module_stderr",
    "module_stdout",
    "msg",
    "name",
    "owner",
    "path",
    "per_host",
    "prepared",
    "rc",
    "reason",
    "results",
    "results_file",
    "retries",
    "size",
    "skip_reason",
    "skipped",
    "start",
    "started",
    "state",
    "status",
    "stderr",
    "stderr_lines",
    "stdout",
    "stdout_lines",
    "unreachable",
    "warnings",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_so_that_they_are_found() {
        assert!(RESULT_NAMES.is_sorted());
    }
}
