//! The proof: from the format of the sources to two browsers that talk.

use crate::{browser_tests, budget, build, setup, shell::Shell, tally::Tally, workspace::Workspace};
use anyhow::{Result, ensure};
use std::time::Instant;

/// Sets up, then runs every check, the quick ones first. Ends at the first that fails.
pub(crate) fn run(workspace: &Workspace, shell: &Shell) -> Result<()> {
    let started = Instant::now();
    setup::run(workspace, shell)?;
    say("Format");
    shell.cargo().args(["fmt", "--all", "--check"]).run()?;
    say("Lints");
    lints(workspace, shell)?;
    say("Unit, property, server and doc tests");
    let mut tally = cargo_tests(shell)?;
    say("Release build");
    build::release(shell)?;
    say("Sizes");
    budget::check(workspace)?;
    say("Browser tests, with the release alone in an empty folder");
    tally += browser_tests::run(workspace, shell, &[])?;
    say(&format!("All checks passed in {} s", started.elapsed().as_secs()));
    println!("{tally}");
    Ok(())
}

fn say(step: &str) {
    println!("\n== {step}");
}

/// The page's features for the server and for the browser exclude each other, so each crate is looked at with its own.
fn lints(workspace: &Workspace, shell: &Shell) -> Result<()> {
    const DENY: [&str; 3] = ["--", "--deny", "warnings"];
    let clippy = || shell.cargo().args(["clippy", "--quiet"]);
    clippy().args(["--workspace", "--exclude", "frontend", "--all-targets"]).args(DENY).run()?;
    clippy().args(["--package", "frontend", "--target", "wasm32-unknown-unknown"]).args(DENY).run()?;
    shell.program("tsc").arg("--noEmit").folder(&workspace.end2end()).run()
}

fn cargo_tests(shell: &Shell) -> Result<Tally> {
    let tally = shell.cargo().args(["test", "--quiet", "--workspace", "--exclude", "frontend"]).run_tests()?;
    ensure!(!tally.is_empty(), "cargo ran no test, which cannot be right");
    Ok(tally)
}
