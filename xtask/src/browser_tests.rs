//! Playwright against the release binary.

use crate::{build, setup, shell::Shell, tally::Tally, workspace::Workspace};
use anyhow::{Context, Result, ensure};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
};

/// Where the suite leaves its pictures, in the folder of the browser tests.
const PICTURES: &str = "test-results/screenshots";

/// Runs the browser tests with the binary alone in an empty folder, so that it has to carry the whole site.
pub(crate) fn run(workspace: &Workspace, shell: &Shell, args: &[String]) -> Result<Tally> {
    let alone = EmptyFolder::make()?;
    let binary = alone.0.join("taproom");
    let release = workspace.release();
    fs::copy(&release, &binary).with_context(|| {
        format!("copy the release from {} (`cargo leptos build --release --precompress` makes it)", release.display())
    })?;
    let chromium = setup::chromium(workspace, shell).unwrap_or_default();
    let tally = shell
        .program("playwright")
        .arg("test")
        .args(args)
        .folder(&workspace.end2end())
        .env("TAPROOM_BIN", &binary)
        .env("TAPROOM_CHROMIUM", chromium)
        .run_tests()?;
    ensure!(!tally.is_empty(), "Playwright ran no test, which cannot be right");
    Ok(tally)
}

/// `cargo xtask browsers`: the release is built only when there is none.
pub(crate) fn run_alone(workspace: &Workspace, shell: &Shell, args: &[String]) -> Result<()> {
    setup::run(workspace, shell)?;
    if !workspace.release().is_file() {
        build::release(shell)?;
    }
    let tally = run(workspace, shell, args)?;
    println!("{tally}");
    Ok(())
}

/// `cargo xtask screenshots`: builds, lets the suite take the README's pictures, and puts them in their place.
pub(crate) fn screenshots(workspace: &Workspace, shell: &Shell) -> Result<()> {
    setup::run(workspace, shell)?;
    build::release(shell)?;
    run(workspace, shell, &["screenshots".to_owned()])?;
    let to = workspace.screenshots();
    fs::create_dir_all(&to).with_context(|| format!("make {}", to.display()))?;
    copy_pictures(&workspace.end2end().join(PICTURES), &to)
}

fn copy_pictures(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("look for pictures in {}", from.display()))? {
        let entry = entry?;
        let picture = to.join(entry.file_name());
        fs::copy(entry.path(), &picture).with_context(|| format!("write {}", picture.display()))?;
        println!("{}", picture.display());
    }
    Ok(())
}

/// A folder that is empty at first and gone at last.
struct EmptyFolder(PathBuf);

impl EmptyFolder {
    fn make() -> Result<EmptyFolder> {
        let folder = env::temp_dir().join(format!("taproom-alone-{}", process::id()));
        fs::create_dir(&folder).with_context(|| format!("make the empty folder {}", folder.display()))?;
        Ok(EmptyFolder(folder))
    }
}

impl Drop for EmptyFolder {
    fn drop(&mut self) {
        // What stays behind is a file in the temporary folder: not worth failing for.
        let _ = fs::remove_dir_all(&self.0);
    }
}
