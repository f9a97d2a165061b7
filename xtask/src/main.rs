//! The commands behind the README's two: `cargo xtask serve` and `cargo xtask test`.

mod bench;
mod browser_tests;
mod budget;
mod build;
mod check;
mod serve;
mod setup;
mod shell;
mod tally;
mod torture;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use shell::Shell;
use std::process::ExitCode;
use workspace::Workspace;

/// Sets up, runs and proves Taproom.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Set up what is missing, build the release and serve it on http://127.0.0.1:3000
    Serve {
        /// Passed on to `taproom serve`, after a `--`
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Set up what is missing, then check everything: format, lints, tests, sizes, browsers
    Test,
    /// Set up what is missing, and no more
    Setup,
    /// Run the browser tests alone, against the release as it was last built
    Browsers {
        /// Passed on to `playwright test`, after a `--`
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Set up what is missing, then measure every bar of delivery and durability, Taproom beside Bun: some 25 minutes
    Bench {
        /// Parts and options, after a `--`; `-- --help` tells them
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Kill the server under load, or cut its power, and compare what it acknowledged with what it has: 200 kills when
    /// nothing is said
    Torture {
        /// How often to kill it
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
        kills: Option<u32>,
        /// How often to cut its power
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
        cuts: Option<u32>,
    },
    /// Make the README's pictures afresh
    Screenshots,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        // For a person: what went wrong and why, no backtrace.
        Err(error) => {
            eprintln!("\nxtask: {error}");
            error.chain().skip(1).for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let workspace = Workspace::find()?;
    let shell = Shell::new(&workspace);
    match task {
        Task::Serve { args } => serve::run(&workspace, &shell, &args),
        Task::Test => check::run(&workspace, &shell),
        Task::Setup => setup::run(&workspace, &shell),
        Task::Browsers { args } => browser_tests::run_alone(&workspace, &shell, &args),
        Task::Bench { args } => bench::run(&workspace, &shell, &args),
        Task::Torture { kills, cuts } => {
            setup::rust(&workspace, &shell)?;
            torture::run(&shell, kills, cuts)
        }
        Task::Screenshots => browser_tests::screenshots(&workspace, &shell),
    }
}
