//! Where things are in this checkout.

use anyhow::{Context, Result};
use std::{
    env,
    path::{Path, PathBuf},
};

/// The folders that the tasks work in.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The workspace that this program was compiled in.
    pub(crate) fn find() -> Result<Workspace> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
        // Wherever cargo was told to put its output, it put this program in `debug` there.
        let this = env::current_exe().context("find out where this program was built")?;
        let target = this.ancestors().nth(2).context("cargo builds programs two folders deep")?;
        Ok(Workspace { root: root.into(), target: target.into() })
    }

    /// The top of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The browser tests and the npm packages.
    pub(crate) fn end2end(&self) -> PathBuf {
        self.root.join("end2end")
    }

    /// The programs that npm installed.
    pub(crate) fn npm_programs(&self) -> PathBuf {
        self.end2end().join("node_modules/.bin")
    }

    /// The server on Bun that Taproom is measured against, and the npm package that brings Bun.
    pub(crate) fn bun(&self) -> PathBuf {
        self.root.join("server/benches/peers/bun")
    }

    /// The built site: page program, styles, icons. It stays in the checkout wherever cargo builds.
    pub(crate) fn site(&self) -> PathBuf {
        self.root.join("target/site")
    }

    /// The release of the server.
    pub(crate) fn release(&self) -> PathBuf {
        self.target.join("release/taproom")
    }

    /// The pictures in the README.
    pub(crate) fn screenshots(&self) -> PathBuf {
        self.root.join("docs/screenshots")
    }
}
