//! The `callboard` program: the whole service, or one playbook run, in one process; and the commands that show jobs.

mod api_keys;
mod audit;
mod cli;
mod descriptors;
mod doctor;
mod health;
mod http;
mod isolation;
mod job_users;
mod jobs;
mod keys;
mod kinds;
mod known_hosts;
mod list;
mod logging;
mod logs;
mod own;
mod parts;
mod quotas;
mod redrive;
mod report;
mod run;
mod serve;
mod services;
mod setup;
mod show;
mod signals;
mod terminal;
mod verify;
mod workers;

use std::process::ExitCode;

use crate::cli::{Cli, Verb};

/// The exit code for Callboard's own errors, the same as `ansible-playbook` uses for its own.
const ERROR: u8 = 1;

/// How many threads may read and write files at a time. Each takes memory, even for requests that ask for little.
const THREADS: usize = 16;

fn main() -> ExitCode {
    callboard_sandbox::launch_if_asked();
    match start(Cli::read()) {
        Ok(code) => code,
        Err(error) => {
            terminal::tell(&format!("callboard: {error:#}"));
            ExitCode::from(ERROR)
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Verb::Openapi = cli.verb {
        print!("{}", callboard_api::document(&kinds::shown()));
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(THREADS + cli.verb.workers())
        .enable_all()
        .build()?;
    let code = runtime.block_on(async {
        match cli.verb {
            Verb::Run(arguments) => run::run(&arguments).await,
            Verb::Serve(arguments) => serve::serve(&arguments).await,
            Verb::List(arguments) => list::list(&arguments).await,
            Verb::Show(arguments) => show::show(&arguments).await,
            Verb::Logs(arguments) => logs::logs(&arguments).await,
            Verb::Verify(arguments) => verify::verify(&arguments).await,
            Verb::Audit(arguments) => audit::audit(&arguments).await,
            Verb::Quotas(arguments) => quotas::quotas(&arguments).await,
            Verb::Doctor(arguments) => doctor::doctor(&arguments).await,
            Verb::Redrive(arguments) => redrive::redrive(&arguments).await,
            Verb::Keys(arguments) => api_keys::keys(arguments).await,
            Verb::KnownHosts(arguments) => known_hosts::known_hosts(arguments).await,
            Verb::Services(arguments) => services::services(&arguments.verb),
            Verb::RotateKey(data) => keys::rotate(&data).await,
            Verb::Openapi => Ok(ExitCode::SUCCESS),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    code
}
