//! The api process: reads its settings and runs; or prints the OpenAPI document or the list of routes.

use std::process::ExitCode;

use clap::Parser;

/// Serves the HTTP API, the webhooks of the gateways and the live feed.
#[derive(Parser)]
#[command(name = "paloma-api", version)]
struct Arguments {
    #[command(flatten)]
    config: crm::Config,
    #[command(flatten)]
    settings: api::Settings,
    /// Print the OpenAPI document and end.
    #[arg(long)]
    print_openapi: bool,
    /// Print every route with its permission and end.
    #[arg(long)]
    print_routes: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    // before the settings are read: printing needs none of them
    let asks = |flag: &str| std::env::args().skip(1).any(|argument| argument == flag);
    if asks("--print-openapi") {
        print!("{}", api::openapi::text());
        return ExitCode::SUCCESS;
    }
    if asks("--print-routes") {
        println!("{}", api::route_list().join("\n"));
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("paloma-api: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let traces = crm::telemetry::install_logs(arguments.config.log_json, "paloma-api")?;
    let outcome = api::run(arguments.config, arguments.settings).await;
    traces.end();
    outcome
}
