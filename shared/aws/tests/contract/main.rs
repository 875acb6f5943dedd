//! The contract suites, on S3 and SQS, and what is particular to them.

mod api_keys;
mod archives;
mod audit_log;
mod credentials;
mod damaged;
mod fake;
mod faults;
mod host_keys;
mod logs;
mod lossy;
mod queue;
mod records;

use callboard_testkit::{
    archive_cache_contract, audit_log_contract, breaker_store_contract, counter_store_contract,
    credential_store_contract, host_key_store_contract, idempotency_store_contract, job_queue_contract,
    job_store_contract, key_store_contract, log_store_contract, slot_store_contract, stats_store_contract,
};

mod dynamodb_job_store {
    super::job_store_contract!(crate::records::make);
}

mod dynamodb_idempotency_store {
    super::idempotency_store_contract!(crate::records::make_keys);
}

mod dynamodb_breaker_store {
    super::breaker_store_contract!(crate::records::make_breakers);
}

mod dynamodb_slot_store {
    super::slot_store_contract!(crate::records::make_slots);
}

mod dynamodb_counter_store {
    super::counter_store_contract!(crate::records::make_counters);
}

mod dynamodb_stats_store {
    super::stats_store_contract!(crate::records::make_stats);
}

mod dynamodb_key_store {
    super::key_store_contract!(crate::api_keys::make);
}

mod dynamodb_audit_log {
    super::audit_log_contract!(crate::audit_log::make);
}

mod s3_log_store {
    super::log_store_contract!(crate::logs::make);
}

mod sqs_queue {
    super::job_queue_contract!(crate::queue::make);
}

mod secrets_manager_credential_store {
    super::credential_store_contract!(crate::credentials::make);
}

mod dynamodb_host_key_store {
    super::host_key_store_contract!(crate::host_keys::make);
}

mod s3_archive_cache {
    super::archive_cache_contract!(crate::archives::make);
}
