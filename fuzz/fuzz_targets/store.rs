//! Stores: a damaged one is opened, examined and rescued.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::{env, fs, process};

use critbatch_tuner::{Record, STORE_FILE_NAME, Store, examine, rescue};

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { env::temp_dir() };
    let folder = parent.join(format!("critbatch-fuzz-store-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
});

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let (damaged, rescued) = (FOLDER.join("damaged"), FOLDER.join("rescued"));
    for folder in [&damaged, &rescued] {
        let _ = fs::remove_dir_all(folder);
    }
    fs::create_dir_all(&damaged).expect("a folder can be made");
    fs::write(damaged.join(STORE_FILE_NAME), content).expect("a file can be written");
    if let Ok(store) = Store::open_read_only(&damaged) {
        let _ = Record::of_store(&store);
    }
    let _ = examine(&damaged);
    if rescue(&damaged, &rescued).is_ok() {
        Store::open_read_only(&rescued).expect("what was rescued can be opened");
    }
});
