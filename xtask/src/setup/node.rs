//! Node, the npm packages in `end2end` (Playwright, the optimiser of the release build) and the one that brings Bun.

use super::Need;
use crate::shell::Shell;
use anyhow::{Result, bail};
use std::{fs, path::Path, time::SystemTime};

/// The oldest Node that the packages run on.
const OLDEST_NODE: u32 = 20;

pub(super) const NODE: Need = Need {
    name: "Node 20 or later, with npm",
    why: "it runs Playwright and the optimiser of the release build, and npm gets the benchmarks' Bun",
    is_there: |_, shell| {
        let node = shell.program("node").arg("--version").answer();
        node.is_some_and(|version| major(&version) >= OLDEST_NODE) && shell.which("npm").is_some()
    },
    get: |_, _| bail!("this program does not choose a Node for you"),
    by_hand: "install Node 20 or later from https://nodejs.org or with your package manager",
};

fn major(version: &str) -> u32 {
    let number = version.trim_start_matches('v').split('.').next();
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

pub(super) const PACKAGES: Need = Need {
    name: "the npm packages in end2end",
    why: "wasm-opt makes the page small, Playwright tests it",
    is_there: |workspace, _| are_there(&workspace.end2end()),
    get: |workspace, shell| get(shell, &workspace.end2end()),
    by_hand: "cd end2end && npm ci",
};

pub(super) const BUN: Need = Need {
    name: "Bun, as npm brings it",
    why: "the benchmarks measure Taproom beside it",
    is_there: |workspace, _| are_there(&workspace.bun()),
    get: |workspace, shell| get(shell, &workspace.bun()),
    by_hand: "cd server/benches/peers/bun && npm ci",
};

/// npm writes its own lock into node_modules when it is through.
fn are_there(folder: &Path) -> bool {
    let asked = changed(&folder.join("package-lock.json"));
    asked.is_some() && changed(&folder.join("node_modules/.package-lock.json")) >= asked
}

fn get(shell: &Shell, folder: &Path) -> Result<()> {
    // The browser is a need of its own: Playwright's download works on open networks only.
    let npm = shell.program("npm").args(["ci", "--no-audit", "--no-fund"]).folder(folder);
    npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1").run()
}

fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|about| about.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!(major("v20.20.2"), 20);
        assert_eq!(major("v8.1.0"), 8);
        assert_eq!(major("what"), 0);
    }
}
