//! From a fresh clone to a room in the browser.

use crate::{build, setup, shell::Shell, workspace::Workspace};
use anyhow::Result;

/// Sets up, builds, and becomes the server. The server prints its address when it is ready.
pub(crate) fn run(workspace: &Workspace, shell: &Shell, args: &[String]) -> Result<()> {
    setup::builder(workspace, shell)?;
    build::release(shell)?;
    Err(shell.program(workspace.release()).arg("serve").args(args).become_it())
}
