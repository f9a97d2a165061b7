//! The pinned compiler's parts, and the two tools that turn the page into WebAssembly.

use super::Need;
use crate::{shell::Shell, workspace::Workspace};
use anyhow::Result;
use std::path::Path;

/// Later versions need a later compiler than the pinned one.
const CARGO_LEPTOS_VERSION: &str = "0.3.10";

/// The version of the crate in `Cargo.lock`: the two speak to each other in a format that has no other name.
const WASM_BINDGEN_VERSION: &str = "0.2.130";

pub(super) const COMPONENTS: Need = Need {
    name: "rustfmt and clippy",
    why: "they check format and lints",
    is_there: |_, shell| {
        [["fmt", "--version"], ["clippy", "--version"]].iter().all(|tool| shell.cargo().args(tool).answer().is_some())
    },
    get: |_, shell| shell.program("rustup").args(["component", "add", "rustfmt", "clippy"]).run(),
    by_hand: "rustup component add rustfmt clippy",
};

/// Asked for by `rust-toolchain.toml` too, but rustup installs nothing by itself where RUSTUP_AUTO_INSTALL is 0.
pub(super) const WASM_TARGET: Need = Need {
    name: "the target wasm32-unknown-unknown",
    why: "the page runs as WebAssembly",
    is_there: |_, shell| {
        let sysroot = shell.program("rustc").args(["--print", "sysroot"]).answer();
        sysroot.is_some_and(|sysroot| Path::new(&sysroot).join("lib/rustlib/wasm32-unknown-unknown/lib").is_dir())
    },
    get: |_, shell| shell.program("rustup").args(["target", "add", "wasm32-unknown-unknown"]).run(),
    by_hand: "rustup target add wasm32-unknown-unknown",
};

pub(super) const CARGO_LEPTOS: Need = Need {
    name: "cargo-leptos 0.3.10",
    why: "it builds page and server together; from source it takes some ten minutes, once per machine",
    is_there: |_, shell| shell.cargo().args(["leptos", "--version"]).answer().is_some_and(says(CARGO_LEPTOS_VERSION)),
    get: get_cargo_leptos,
    by_hand: "cargo install --locked cargo-leptos@0.3.10",
};

fn get_cargo_leptos(_: &Workspace, shell: &Shell) -> Result<()> {
    let package = format!("cargo-leptos@{CARGO_LEPTOS_VERSION}");
    let ready_made = shell.which("cargo-binstall").is_some()
        && shell.cargo().args(["binstall", "--no-confirm", &package]).run().is_ok();
    if ready_made {
        return Ok(());
    }
    // Its own release profile doubles the time to build for a tool that waits for the compiler anyway.
    shell
        .cargo()
        .args(["install", "--locked", "--force", &package])
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .run()
}

pub(super) const WASM_BINDGEN: Need = Need {
    name: "wasm-bindgen 0.2.130",
    why: "it joins WebAssembly and JavaScript",
    is_there: |_, shell| {
        shell.program("wasm-bindgen").arg("--version").answer().is_some_and(says(WASM_BINDGEN_VERSION))
    },
    // Not --locked: its lock file names a version that the registry no longer has.
    get: |_, shell| {
        let package = format!("wasm-bindgen-cli@{WASM_BINDGEN_VERSION}");
        shell.cargo().args(["install", "--force", &package]).run()
    },
    by_hand: "cargo install wasm-bindgen-cli@0.2.130",
};

/// Whether a program's answer to `--version` ends in exactly this version.
fn says(version: &'static str) -> impl Fn(String) -> bool {
    move |answer| answer.split_whitespace().last() == Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_and_the_crate_have_the_same_version() {
        let lock = include_str!("../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"wasm-bindgen\"\nversion = \"{WASM_BINDGEN_VERSION}\"")));
    }

    #[test]
    fn words_for_people_name_the_versions_that_are_checked() {
        for (need, version) in [(CARGO_LEPTOS, CARGO_LEPTOS_VERSION), (WASM_BINDGEN, WASM_BINDGEN_VERSION)] {
            assert!(need.name.ends_with(version) && need.by_hand.ends_with(version), "{}", need.name);
        }
    }

    #[test]
    fn another_version_is_not_taken_for_the_right_one() {
        assert!(says("0.3.10")("cargo-leptos 0.3.10".into()));
        assert!(!says("0.3.10")("cargo-leptos 0.3.1".into()));
        assert!(!says("0.3.1")("cargo-leptos 0.3.10".into()));
        assert!(!says("0.3.1")(String::new()));
    }
}
