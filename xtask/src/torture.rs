//! The long proofs: the server killed, and the power cut, as often as is asked for.

use crate::shell::{Program, Shell};
use anyhow::Result;

/// Kills when nothing else is asked for.
const KILLS: u32 = 200;

/// Runs what is asked for, and says what came of it.
///
/// In the build that `cargo test` makes, in which SQLite is optimised: the disk sets the pace, and a release would compile
/// for minutes to find nothing more.
pub(crate) fn run(shell: &Shell, kills: Option<u32>, cuts: Option<u32>) -> Result<()> {
    let kills = kills.or(cuts.is_none().then_some(KILLS));
    if let Some(kills) = kills {
        proof(shell, "torture", "kills::").env("TAPROOM_KILLS", kills.to_string()).run()?;
    }
    if let Some(cuts) = cuts {
        proof(shell, "faults", "power::").env("TAPROOM_CUTS", cuts.to_string()).run()?;
    }
    Ok(())
}

/// The tests of one module, which print what they measured.
fn proof(shell: &Shell, binary: &str, module: &str) -> Program {
    shell.cargo().args(["test", "--package", "server", "--test", binary, "--", module, "--nocapture"])
}
