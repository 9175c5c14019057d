//! `paloma`: the command line of the operator and the developer. Only reads arguments and hands over to the module of each verb.

#![deny(clippy::print_stdout, reason = "`cli::print` writes, and ends quietly where nobody reads any more")]

mod bench;
mod cluster_command;
mod demo;
mod run;
mod secrets;
mod seed;

use clap::{Parser, Subcommand};
use cli::operate::{self, OperatorVerb};
use cli::print;
use cli::seeding::{self, SeedArguments};
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::{Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Paloma: messaging for teams, with one program to run it.
#[derive(Debug, Parser)]
#[command(name = "paloma", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start everything in the foreground, with a database of its own, until Ctrl-C.
    Run(run::RunArguments),
    #[command(flatten)]
    Operate(OperatorVerb),
    /// Show the main job, from a CSV file to delivered messages, on a stack of its own.
    Demo(demo::DemoArguments),
    /// Fill a database with made-up tenants of any size, to measure and to try things on.
    Seed(SeedArguments),
    /// Measure this machine.
    #[command(subcommand)]
    Bench(bench::BenchVerb),
    /// Delete the embedded database and the demo login in the data folder.
    Reset(cluster_command::ResetArguments),
    /// Handle the embedded database by itself.
    #[command(subcommand, hide = true)]
    Cluster(cluster_command::ClusterVerb),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry().with(log.with_filter(crm::telemetry::filter())).init();
    let outcome = match arguments.verb {
        Verb::Run(arguments) => run::run(arguments).await,
        Verb::Operate(verb) => operate::obey(verb).await,
        Verb::Demo(arguments) => match demo::demo(&arguments).await {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Verb::Seed(arguments) => seeding::obey(arguments).await,
        Verb::Bench(verb) => bench::obey(verb).await,
        Verb::Reset(arguments) => cluster_command::reset(&arguments),
        Verb::Cluster(verb) => cluster_command::obey(verb).await,
    };
    match print::ended(outcome) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("paloma: {error:#}"); // for a person: the chain of causes, without a backtrace
            ExitCode::FAILURE
        }
    }
}
