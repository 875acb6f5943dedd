//! The `callboard` program: the whole service, or one playbook, in one process.

mod cli;
mod health;
mod keys;
mod known_hosts;
mod logging;
mod parts;
mod redrive;
mod report;
mod run;
mod serve;
mod setup;
mod signals;
mod terminal;
mod verify;
mod workers;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Verb};

/// Exit code for errors of Callboard's own, as `ansible-playbook` has it for its own.
const ERROR: u8 = 1;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("callboard: {error:#}");
            ExitCode::from(ERROR)
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Verb::Openapi = cli.verb {
        print!("{}", callboard_api::document());
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let code = runtime.block_on(async {
        match cli.verb {
            Verb::Run(arguments) => run::run(&cli.common, *arguments).await,
            Verb::Serve(arguments) => serve::serve(&cli.common, arguments).await,
            Verb::KnownHosts(arguments) => known_hosts::known_hosts(&cli.common, arguments).await,
            Verb::RotateKey => keys::rotate(&cli.common).await,
            Verb::Redrive(arguments) => redrive::redrive(&cli.common, arguments).await,
            Verb::Verify(arguments) => verify::verify(&cli.common, arguments).await,
            Verb::Openapi => Ok(ExitCode::SUCCESS),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    code
}
