//! How much a browser has to fetch before the room comes to life.

use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path};

/// WebAssembly and JavaScript together, in bytes after brotli.
const PROGRAM: u64 = 200_000;

/// Styles, in bytes after brotli.
const STYLES: u64 = 12_000;

/// Fails when the built site, as it travels, is bigger than a phone on a train should be asked to fetch.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let site = workspace.site().join("pkg");
    check_one("WebAssembly and JavaScript", size_of(&site, &["wasm.br", "js.br"])?, PROGRAM)?;
    check_one("styles", size_of(&site, &["css.br"])?, STYLES)
}

fn check_one(what: &str, size: u64, budget: u64) -> Result<()> {
    println!("{what}: {size} of at most {budget} bytes after brotli");
    ensure!(size > 0, "found no compressed {what} in the built site; build with --precompress");
    ensure!(size <= budget, "{what} are {} bytes too big", size - budget);
    Ok(())
}

/// The bytes in all files of a folder and the folders in it whose names end so.
fn size_of(folder: &Path, endings: &[&str]) -> Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("look into the built site at {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            size += size_of(&path, endings)?;
        } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(&format!(".{ending}"))) {
            size += path.metadata()?.len();
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_too_many_fails_and_so_does_nothing_at_all() {
        assert!(check_one("styles", STYLES, STYLES).is_ok());
        assert!(check_one("styles", STYLES + 1, STYLES).is_err());
        assert!(check_one("styles", 0, STYLES).is_err());
    }
}
