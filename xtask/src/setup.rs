//! What has to be on the machine, in one table: what for, how to see it, how to get it, what to do by hand.

mod chromium;
mod node;
mod rust;

use crate::{shell::Shell, workspace::Workspace};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// One thing that has to be there.
struct Need {
    /// What it is, with its version where that matters.
    name: &'static str,
    /// What it is for.
    why: &'static str,
    /// Whether it is there, in that version.
    is_there: fn(&Workspace, &Shell) -> bool,
    /// Gets it.
    get: fn(&Workspace, &Shell) -> Result<()>,
    /// What a person can do when `get` failed.
    by_hand: &'static str,
}

/// Rust's own parts come first: rustup may exchange the compiler under a build that runs already.
const RUST: [Need; 2] = [rust::COMPONENTS, rust::WASM_TARGET];
const BUILDER: [Need; 4] = [rust::CARGO_LEPTOS, rust::WASM_BINDGEN, node::NODE, node::PACKAGES];
const PEERS: [Need; 2] = [node::NODE, node::BUN];
const BROWSER: [Need; 1] = [chromium::CHROMIUM];

/// Gets everything that the tests need.
pub(crate) fn run(workspace: &Workspace, shell: &Shell) -> Result<()> {
    builder(workspace, shell)?;
    all(&BROWSER, workspace, shell)
}

/// Gets everything that the release build needs.
pub(crate) fn builder(workspace: &Workspace, shell: &Shell) -> Result<()> {
    println!("== Set-up");
    rust(workspace, shell)?;
    all(&BUILDER, workspace, shell)
}

/// Gets what the benchmarks need.
pub(crate) fn peers(workspace: &Workspace, shell: &Shell) -> Result<()> {
    rust(workspace, shell)?;
    all(&PEERS, workspace, shell)
}

/// Gets Rust's own parts.
pub(crate) fn rust(workspace: &Workspace, shell: &Shell) -> Result<()> {
    all(&RUST, workspace, shell)
}

/// The Chromium to test with, where one is there that Playwright does not find by itself.
pub(crate) fn chromium(workspace: &Workspace, shell: &Shell) -> Option<PathBuf> {
    chromium::find(workspace, shell)
}

fn all(needs: &[Need], workspace: &Workspace, shell: &Shell) -> Result<()> {
    needs.iter().try_for_each(|need| need.meet(workspace, shell))
}

impl Need {
    fn meet(&self, workspace: &Workspace, shell: &Shell) -> Result<()> {
        if (self.is_there)(workspace, shell) {
            println!("there: {}", self.name);
            return Ok(());
        }
        println!("missing: {} ({})", self.name, self.why);
        (self.get)(workspace, shell)
            .and_then(|()| self.check(workspace, shell))
            .with_context(|| format!("could not get {}. Do by hand, then come back: {}", self.name, self.by_hand))
    }

    fn check(&self, workspace: &Workspace, shell: &Shell) -> Result<()> {
        anyhow::ensure!((self.is_there)(workspace, shell), "it was installed without an error, and still is not found");
        Ok(())
    }
}
