//! What the tests of whole programs share.

pub mod archive;
mod browser;
pub mod experiments;
pub mod generated;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub use browser::{Browser, Screen};

/// A command line of the `critbatch` binary, without the data folders of who runs the tests.
///
/// # Panics
///
/// Where the binary cannot be built.
#[must_use]
pub fn critbatch() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(binary());
    command.env_remove("CRITBATCH_DATA").env_remove("RUST_LOG");
    command
}

/// The program with all signals as they are by default: a test may be started to ignore some, as by `nohup`,
/// and the program then ignores them too.
#[must_use]
pub fn listening() -> Command {
    if !cfg!(target_os = "linux") {
        return Command::new(binary());
    }
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP,INT,TERM").arg(binary());
    command
}

/// A folder with a text that every checkout has, always the same one, so that its tokens are kept once
/// and for all tests.
///
/// # Panics
///
/// Where it cannot be written.
#[must_use]
pub fn text_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join("critbatch-tests-text");
        let path = folder.join("licence.txt");
        let licence = concat!(env!("CARGO_MANIFEST_DIR"), "/../LICENSE-APACHE");
        if !path.exists() {
            // Another process may be doing the same: it appears whole or not at all.
            std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
            let unfinished = tempfile::NamedTempFile::new_in(&folder).expect("a file can be made");
            std::fs::copy(licence, unfinished.path()).expect("the licence can be read");
            unfinished.persist(&path).expect("the file can be renamed");
        }
        folder
    })
}

/// The `critbatch` binary of this build.
///
/// Cargo builds another package's binary for no test, so the first caller of a process builds it:
/// into the folder and with the profile of the running test.
///
/// # Panics
///
/// Where it cannot be built.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build)
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    // target/<profile>/deps/<test>
    let profile_folder = test.ancestors().nth(2).expect("tests run in a folder of the target");
    let target_folder = profile_folder.parent().expect("a profile has a target folder");
    let profile = match profile_folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // With the features that `cargo test --workspace` gives every crate: nothing compiles twice. Nor where a
    // build script looks at whose package it is (ring's does), which cargo tells a test of its own.
    let mut command = Command::new(cargo);
    for (name, _) in std::env::vars_os() {
        let tells = |prefix: &str| name.to_str().is_some_and(|name| name.starts_with(prefix));
        if tells("CARGO_PKG_") || tells("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    let status = command
        .args(["build", "--workspace", "--bins", "--tests", "--profile", profile])
        .arg("--target-dir")
        .arg(target_folder)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs, as it runs this test");
    assert!(status.success(), "critbatch does not build");
    profile_folder.join(format!("critbatch{}", std::env::consts::EXE_SUFFIX))
}
