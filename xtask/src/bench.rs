//! What everything costs: delivery beside Bun, then durability beside a bare loop of SQLite.

use crate::{
    setup,
    shell::{Program, Shell},
    workspace::Workspace,
};
use anyhow::Result;

/// Measures what is asked for; when nothing is, everything that takes part in the bars.
pub(crate) fn run(workspace: &Workspace, shell: &Shell, args: &[String]) -> Result<()> {
    setup::peers(workspace, shell)?;
    let bars = bench(shell, "fanout").arg("bars").args(args).run();
    if args.is_empty() {
        bench(shell, "append").run()?;
    }
    bars
}

/// Cargo builds the release of the server with every benchmark.
fn bench(shell: &Shell, name: &str) -> Program {
    shell.cargo().args(["bench", "--package", "server", "--bench", name, "--"])
}
