//! Node and the npm packages in `end2end`: Playwright, and the optimiser of the release build.

use super::Need;
use anyhow::bail;
use std::{fs, path::Path, time::SystemTime};

/// The oldest Node that the packages run on.
const OLDEST_NODE: u32 = 20;

pub(super) const NODE: Need = Need {
    name: "Node 20 or later, with npm",
    why: "it runs Playwright and the optimiser of the release build",
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
    // npm writes its own lock into node_modules when it is through.
    is_there: |workspace, _| {
        let folder = workspace.end2end();
        let asked = changed(&folder.join("package-lock.json"));
        asked.is_some() && changed(&folder.join("node_modules/.package-lock.json")) >= asked
    },
    get: |workspace, shell| {
        // The browser is a need of its own: Playwright's download works on open networks only.
        let npm = shell.program("npm").args(["ci", "--no-audit", "--no-fund"]).folder(&workspace.end2end());
        npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1").run()
    },
    by_hand: "cd end2end && npm ci",
};

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
