//! A Chromium for the browser tests: the machine's own, Debian's, or Playwright's.

use super::Need;
use crate::{shell::Shell, workspace::Workspace};
use anyhow::{Context, Result};
use std::{
    env,
    path::{Path, PathBuf},
};

/// The names under which systems know it. `end2end/chromium.ts` looks for the same.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

pub(super) const CHROMIUM: Need = Need {
    name: "a Chromium",
    why: "the browser tests run in it",
    is_there: |workspace, shell| find(workspace, shell).is_some(),
    get,
    by_hand: "install Chromium (Debian: apt-get install chromium) or set TAPROOM_CHROMIUM to where it lies",
};

/// Where a Chromium lies: as told by TAPROOM_CHROMIUM, on the PATH, or where Playwright puts its own.
pub(super) fn find(workspace: &Workspace, shell: &Shell) -> Option<PathBuf> {
    match env::var_os("TAPROOM_CHROMIUM") {
        // Said is said: a wrong path is to be noticed, not silently replaced.
        Some(told) if !told.is_empty() => Some(PathBuf::from(told)).filter(|file| file.is_file()),
        _ => NAMES.iter().find_map(|name| shell.which(name)).or_else(|| playwrights_own(workspace, shell)),
    }
}

fn playwrights_own(workspace: &Workspace, shell: &Shell) -> Option<PathBuf> {
    const ASK: &str = "process.stdout.write(require('@playwright/test').chromium.executablePath())";
    let path = shell.program("node").args(["--eval", ASK]).folder(&workspace.end2end()).answer()?;
    Some(PathBuf::from(path)).filter(|file| file.is_file())
}

fn get(workspace: &Workspace, shell: &Shell) -> Result<()> {
    anyhow::ensure!(env::var_os("TAPROOM_CHROMIUM").is_none_or(|told| told.is_empty()), "TAPROOM_CHROMIUM is no file");
    if is_debian_as_root(shell) && from_debian(shell).is_ok() {
        return Ok(());
    }
    let install = shell.program("playwright").args(["install", "chromium"]).folder(&workspace.end2end());
    install.run().context("neither the system nor Playwright has a Chromium for us")
}

fn is_debian_as_root(shell: &Shell) -> bool {
    Path::new("/etc/debian_version").exists() && shell.program("id").arg("-u").answer().as_deref() == Some("0")
}

fn from_debian(shell: &Shell) -> Result<()> {
    let apt = || shell.program("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
    apt().args(["update", "--quiet"]).run()?;
    apt().args(["install", "--yes", "--quiet", "--no-install-recommends", "chromium", "fonts-noto-color-emoji"]).run()
}
