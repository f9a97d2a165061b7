//! The release: the page for browsers, compressed ahead, and the server that carries it.

use crate::shell::Shell;
use anyhow::Result;

/// Builds the release of page and server.
pub(crate) fn release(shell: &Shell) -> Result<()> {
    shell.cargo().args(["leptos", "build", "--release", "--precompress"]).run()
}
