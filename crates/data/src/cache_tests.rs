//! Tests of `cache.rs`: what is kept comes back, and nothing else does.

use std::process::Command;
use std::time::Duration;

use super::*;
use crate::catalogue::{Files, Storage};
use crate::load::load_from;
use crate::testing::{Places, Tiny};

/// A data set in files and a folder to keep it in.
struct Kept {
    places: Places,
    info: ImageInfo,
}

impl Kept {
    fn new() -> Self {
        let places = Places::new();
        Tiny::new().write_gzip(&places.path("data/tiny_shapes"));
        Self { places, info: Tiny::new().info() }
    }

    fn cache(&self) -> Cache {
        Cache { folder: Some(self.places.path("cache/critbatch")) }
    }

    fn load(&self) -> ImageDataset {
        load_from(&self.info, &self.places.search_path(), &self.cache()).unwrap()
    }

    fn sources(&self) -> Vec<PathBuf> {
        let files = self.info.storage.files();
        let path = |name| self.places.path(&format!("data/tiny_shapes/{name}.gz"));
        files.iter().map(|file| path(file.name)).collect()
    }

    fn entry(&self) -> Entry<'_> {
        self.cache().entry(&self.info, &self.sources()).unwrap()
    }

    fn decoded(&self) -> ImageDataset {
        load_from(&self.info, &self.places.search_path(), &Cache { folder: None }).unwrap()
    }

    /// Changes the file, sees it refused for a reason, and a load mend it.
    fn expect_rebuilt(&self, reason: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.entry().path;
        let whole = fs::read(&path).unwrap();
        let mut content = whole.clone();
        change(&mut content);
        fs::write(&path, &content).unwrap();
        assert_eq!(self.entry().open().unwrap_err().to_string(), reason);
        assert_eq!(self.load(), self.decoded(), "{reason}");
        assert_eq!(fs::read(&path).unwrap(), whole, "{reason}");
    }
}

/// Makes a header's payload digest right again, as a writer of another content would.
fn sign(content: &mut [u8]) {
    let digest = Sha256::digest(&content[HEADER_LEN..]);
    content[KNOWN_LEN..HEADER_LEN].copy_from_slice(&digest);
}

#[test]
fn what_was_decoded_is_kept_and_comes_back() {
    let kept = Kept::new();
    assert!(matches!(kept.entry().open(), Err(Miss::Absent)));
    let first = kept.load();
    let mapped = kept.entry().open().unwrap();
    assert_eq!((&first, &mapped), (&kept.decoded(), &kept.decoded()));
    assert!(mapped.train.images().is_standard_layout());
    let name = kept.entry().path;
    let name = name.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("tiny_shapes-") && name.ends_with("-v1.splits"), "{name}");
    let files: Vec<_> = fs::read_dir(kept.places.path("cache/critbatch")).unwrap().collect();
    assert_eq!(files.len(), 1, "no temporary file is left");
}

/// Proves that the second load does not read the source: its content is damaged, but not its size
/// nor time. Once the time is another one, it is read, and refused.
#[test]
fn a_source_is_read_again_when_it_has_changed_and_only_then() {
    let kept = Kept::new();
    let decoded = kept.load();
    let source = &kept.sources()[0];
    let (mut content, modified) =
        (fs::read(source).unwrap(), fs::metadata(source).unwrap().modified().unwrap());
    *content.last_mut().unwrap() ^= 1;
    fs::write(source, content).unwrap();
    let file = File::options().write(true).open(source).unwrap();
    file.set_modified(modified).unwrap();
    assert_eq!(kept.load(), decoded);
    file.set_modified(modified + Duration::from_millis(10)).unwrap();
    let miss = kept.entry().open().unwrap_err();
    assert!(matches!(miss, Miss::Source), "{miss}");
    let load = load_from(&kept.info, &kept.places.search_path(), &kept.cache());
    assert!(load.unwrap_err().to_string().contains("gzip data is damaged"));
}

#[test]
fn the_same_data_in_another_folder_is_read_and_verified() {
    let kept = Kept::new();
    kept.load();
    let other = kept.places.path("system/tiny-shapes");
    fs::rename(kept.places.path("data/tiny_shapes"), &other).unwrap();
    let sources: Vec<PathBuf> =
        kept.sources().iter().map(|path| other.join(path.file_name().unwrap())).collect();
    let miss = kept.cache().entry(&kept.info, &sources).unwrap().open().unwrap_err();
    assert!(matches!(miss, Miss::Source), "{miss}");
    assert_eq!(kept.load(), kept.decoded());
}

#[test]
fn a_file_of_another_kind_version_or_source_is_made_anew() {
    let kept = Kept::new();
    kept.load();
    kept.expect_rebuilt("it is not a file of decoded splits", |content| content[0] ^= 1);
    kept.expect_rebuilt("it is not a file of decoded splits", |content| {
        *content = b"somebody else's notes".to_vec();
    });
    kept.expect_rebuilt("it is not a file of decoded splits", Vec::clear);
    kept.expect_rebuilt("it has format 0, expected 1", |content| content[8] = 0);
    kept.expect_rebuilt("it has format 2, expected 1", |content| content[8] = 2);
    let source = "it was made from other source files, or those have changed since";
    for place in 12..KNOWN_LEN {
        kept.expect_rebuilt(source, |content| content[place] ^= 1);
    }
}

#[test]
fn every_truncation_extension_and_flipped_byte_is_made_anew() {
    let kept = Kept::new();
    kept.load();
    let expected = kept.entry().file_len();
    let length = |found| format!("it has {found} bytes, expected {expected}");
    for len in [12, KNOWN_LEN, HEADER_LEN - 1, HEADER_LEN, expected / 2, expected - 1] {
        kept.expect_rebuilt(&length(len), |content| content.truncate(len));
    }
    kept.expect_rebuilt(&length(expected + 1), |content| content.push(0));
    let digest = "its content does not have the sha-256 that its header says";
    for place in KNOWN_LEN..expected {
        kept.expect_rebuilt(digest, |content| content[place] ^= 0x80);
    }
}

#[test]
fn a_label_that_is_no_class_is_refused_even_if_signed() {
    let kept = Kept::new();
    kept.load();
    kept.expect_rebuilt("it has a label that is no class", |content| {
        *content.last_mut().unwrap() = 1;
        sign(content);
    });
}

#[test]
fn data_sets_of_other_content_or_cut_have_files_of_their_own() {
    let kept = Kept::new();
    let mut others = vec![Tiny::new().info(); 4];
    others[0].name = "other";
    others[1].n_classes = 5;
    (others[2].n_train, others[2].n_validation) = (8, 4);
    let Storage::Folder(Files::Idx { test, .. }) = &mut others[3].storage else {
        panic!("in a folder")
    };
    test.labels.sha256[0] ^= 1;
    for other in others {
        let entry = kept.cache().entry(&other, &kept.sources()).unwrap().path;
        assert_ne!(entry, kept.entry().path, "{other:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_or_made_is_no_error() {
    let kept = Kept::new();
    // Neither can be written by anybody, not even by root, whom permissions do not stop.
    fs::write(kept.places.path("file"), "").unwrap();
    let folders = [kept.places.path("file"), kept.places.path("file/below"), "/proc/none".into()];
    for folder in folders {
        let cache = Cache { folder: Some(folder.clone()) };
        for _ in 0..2 {
            let loaded = load_from(&kept.info, &kept.places.search_path(), &cache);
            assert_eq!(loaded.unwrap(), kept.decoded(), "{}", folder.display());
        }
        assert!(cache.entry(&kept.info, &kept.sources()).unwrap().open().is_err());
    }
}

#[test]
fn without_a_folder_nothing_is_kept() {
    let kept = Kept::new();
    assert!(Cache { folder: None }.entry(&kept.info, &kept.sources()).is_none());
    kept.decoded();
    assert!(!kept.places.path("cache").exists());
}

/// What was mapped stays as it was while its file is replaced or gone.
#[cfg(unix)]
#[test]
fn a_mapped_data_set_outlives_its_file() {
    let kept = Kept::new();
    kept.load();
    let mapped = kept.entry().open().unwrap();
    kept.entry().write(&kept.decoded()).unwrap();
    fs::remove_file(kept.entry().path).unwrap();
    assert_eq!(mapped, kept.decoded());
}

/// Names the folder of [`in_a_process_of_its_own`].
const FOLDER_VARIABLE: &str = "CRITBATCH_TEST_CACHE_FOLDER";

#[test]
fn processes_at_once_do_not_disturb_each_other() {
    let places = Places::new();
    Tiny::new().write_gzip(&places.path("system/tiny-shapes"));
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cache::tests::in_a_process_of_its_own", "--ignored"])
            .env(FOLDER_VARIABLE, places.root.path())
            .output()
    };
    std::thread::scope(|scope| {
        let processes: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        for process in processes {
            let output = process.join().unwrap().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && text.contains("1 passed"), "{text}");
        }
    });
}

#[test]
#[ignore = "run by processes_at_once_do_not_disturb_each_other"]
fn in_a_process_of_its_own() {
    let root = PathBuf::from(std::env::var_os(FOLDER_VARIABLE).unwrap());
    let search_path = crate::locate::SearchPath {
        data_dir: None,
        variable_dir: None,
        own_dir: None,
        system_dir: root.join("system"),
    };
    let (info, cache) = (Tiny::new().info(), Cache { folder: Some(root.join("cache")) });
    let decoded = load_from(&info, &search_path, &Cache { folder: None }).unwrap();
    for round in 0..100 {
        assert_eq!(load_from(&info, &search_path, &cache).unwrap(), decoded);
        // Now and then everybody has to make it anew; another process may have been quicker.
        if round % 3 == 0 {
            fs::read_dir(root.join("cache")).unwrap().flatten().for_each(|file| {
                let is_whole = file.path().extension().is_some_and(|name| name == "splits");
                let _ = is_whole.then(|| fs::remove_file(file.path()));
            });
        }
    }
}
