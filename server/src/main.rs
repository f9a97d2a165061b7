//! Reads the configuration, then serves until a signal and drains, or looks after the log.

use anyhow::{Context, Error, Result, bail};
use axum::serve::Listener;
use clap::Parser;
use server::{
    Entrance, Server,
    config::{Cli, Command, Serve},
    files,
    store::{self, Report},
};
use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};
use tikv_jemallocator::Jemalloc;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Measured beside glibc's and mimalloc, see docs/performance.md. `.cargo/config.toml` says how it works.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let done = match Cli::parse().into_command() {
        Command::Serve(config) => run(&config).map(|()| ExitCode::SUCCESS),
        Command::Backup { data, to } => {
            store::backup(&data.directory, &to).map(|report| tell(&report)).map_err(Error::from)
        }
        Command::Restore { data, from } => {
            store::restore(&data.directory, &from).map(|report| tell(&report)).map_err(Error::from)
        }
        Command::Check { data } => store::check(&data.directory).map(|report| tell(&report)).map_err(Error::from),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("taproom: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what was found in a database. Damage is a failure, for scripts that look at the exit code only.
fn tell(report: &Report) -> ExitCode {
    // A closed standard output is no reason to hide the result in the exit code.
    let _ = writeln!(io::stdout(), "{report}");
    if report.troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(config: &Serve) -> Result<()> {
    start_logging(config)?;
    files::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(serve(config))
}

fn start_logging(config: &Serve) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log)
        .with_context(|| format!("{:?} is not a log filter; try --log info", config.log))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.compact().init()
    } else {
        log.json().flatten_event(true).init()
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a task failed; the others go on")));
    Ok(())
}

async fn serve(config: &Serve) -> Result<()> {
    let listener = entrance(&config.listen, "--listen or TAPROOM_LISTEN").await?;
    let address = listener.local_addr().context("ask for the address")?;

    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut server = Server::open(config)?;
    if let Some(address) = &config.metrics {
        let entrance = entrance(address, "--metrics or TAPROOM_METRICS").await?;
        tracing::info!(metrics = %entrance.local_addr()?, "measuring");
        server = server.show_metrics_at(entrance);
    }
    let stop = server.stop_handle();
    let mut serving = std::pin::pin!(server.serve(listener));
    announce(&format!("http://{address}"));

    tokio::select! {
        () = &mut serving => return Ok(()),
        _ = terminate.recv() => tracing::info!("told to stop (SIGTERM)"),
        _ = interrupt.recv() => tracing::info!("told to stop (SIGINT)"),
    }
    stop.stop();
    match tokio::time::timeout(config.stop_deadline(), serving).await {
        Ok(()) => Ok(()),
        Err(_) => bail!("not everybody was gone after {} s", config.stop_seconds),
    }
}

async fn entrance(address: &str, setting: &str) -> Result<Entrance> {
    let entrance = Entrance::bind(address).await;
    entrance.with_context(|| format!("cannot listen on {address}; choose another address with {setting}"))
}

/// One line for people and for programs that started this one. A closed standard output is no reason to stop.
fn announce(url: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "Taproom is ready: {url}").and_then(|()| out.flush());
    tracing::info!(url, version = env!("CARGO_PKG_VERSION"), "serving");
}
