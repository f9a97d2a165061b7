//! Has the binary built again when the site that it carries has changed.

use std::{fs, path::Path};

fn main() {
    let site = Path::new("../target/site");
    // A first build of the server alone has no site yet; what carries it still needs the folder.
    fs::create_dir_all(site).expect("make target/site, which the binary carries");
    println!("cargo::rerun-if-changed={}", site.display());
}
