//! Decoded data sets, kept in files that a later start maps into memory.
//!
//! Decompressing, hashing and cutting a data set takes a second; mapping what came out, a few
//! hundredths. So the splits of a data set whose files were read and verified are written to
//! `<folder>/<name>-<key>-v<version>.splits`, `folder` being what [`CACHE_VARIABLE`] says.
//!
//! # Format
//! All numbers are little-endian.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | magic, `CBSPLITS` |
//! | 4 | version of this format |
//! | 4 | number of splits: training, validation, test |
//! | 32 | key: SHA-256 of name, shapes, number of classes, published SHA-256 of each file, and rule of the cut |
//! | 32 | stamp: SHA-256 of path, size and time of change of each file that was read |
//! | 32 for each split | its `[N, H, W, C]` as `u64` |
//! | 32 | SHA-256 of the payload |
//! | payload | pixels of each split, row-major; then labels of each split as `u16` |
//!
//! # What is trusted
//! At each start everything of the file is checked: its length, its header, which is compared with
//! the one that is expected, and the SHA-256 of its payload. Of the *source* files only path, size
//! and time of change are compared with those at the time when they were read whole and had their
//! published SHA-256; whoever changes one and puts its old time back goes unnoticed, and harmlessly:
//! what is loaded still is the published data. A cache file that fails any check is made anew from
//! the source. The checks find accidents, not forgery: who can write to the cache folder could as
//! well change the program's settings.
//!
//! A cache file is never changed, only replaced by renaming a complete one over it, so processes
//! that start together do not disturb each other, and one that has mapped the old file keeps it.
//! Every file in the folder may be deleted at any time.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use etcetera::BaseStrategy;
use memmap2::Mmap;
use sha2::{Digest, Sha256};

use crate::catalogue::ImageInfo;
use crate::dataset::{ImageDataset, Split};
use crate::load::hexadecimal;
use crate::split::RULE;

/// The environment variable that names the folder of decoded data sets. Set to nothing it switches
/// the cache off; not set, the folder is `critbatch` in the platform's cache folder
/// (`$XDG_CACHE_HOME`, `~/.cache`, `~/Library/Caches`, `%LOCALAPPDATA%`).
pub const CACHE_VARIABLE: &str = "CRITBATCH_CACHE";

const MAGIC: [u8; 8] = *b"CBSPLITS";

/// Version of the file's format.
const VERSION: u32 = 1;

const N_SPLITS: usize = 3;

const HASH_LEN: usize = 32;

/// The header up to the payload's SHA-256: all that is known beforehand.
const KNOWN_LEN: usize = MAGIC.len() + 4 + 4 + 2 * HASH_LEN + N_SPLITS * 4 * size_of::<u64>();

const HEADER_LEN: usize = KNOWN_LEN + HASH_LEN;

/// Where decoded data sets are kept; nowhere, if there is no folder.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) folder: Option<PathBuf>,
}

/// The file that a data set would be kept in, and what is known of it.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    info: &'a ImageInfo,
    path: PathBuf,
    /// The beginning of the header.
    known: [u8; KNOWN_LEN],
}

/// Why a cache file was not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Miss {
    #[error("there is none yet")]
    Absent,
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("it has {found} bytes, expected {expected}")]
    Length { found: u64, expected: u64 },
    #[error("it is not a file of decoded splits")]
    Foreign,
    #[error("it has format {found}, expected {VERSION}")]
    Version { found: u32 },
    #[error("it was made from other source files, or those have changed since")]
    Source,
    #[error("its content does not have the sha-256 that its header says")]
    Digest,
    #[error("it has a label that is no class")]
    Label,
}

impl Cache {
    pub(crate) fn from_environment() -> Self {
        let platform = || {
            let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
            Some(strategy.cache_dir().join("critbatch"))
        };
        let folder = match std::env::var_os(CACHE_VARIABLE) {
            Some(folder) if folder.is_empty() => None,
            Some(folder) => Some(PathBuf::from(folder)),
            None => platform(),
        };
        Self { folder }
    }

    /// The file for a data set that is read from `sources`, if there can be one.
    pub(crate) fn entry<'a>(&self, info: &'a ImageInfo, sources: &[PathBuf]) -> Option<Entry<'a>> {
        let folder = self.folder.as_ref()?;
        let key = key(info);
        let stamp = stamp(sources)
            .inspect_err(|error| tracing::info!("no cache for {}: {error}", info.name))
            .ok()?;
        let name = format!("{}-{}-v{VERSION}.splits", info.name, &hexadecimal(&key)[..16]);
        Some(Entry { info, path: folder.join(name), known: known_header(info, key, stamp) })
    }
}

impl Entry<'_> {
    /// The data set of the file, mapped into memory.
    pub(crate) fn open(&self) -> Result<ImageDataset, Miss> {
        let file = File::open(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Miss::Absent,
            _ => Miss::Read(error),
        })?;
        let (found, expected) = (file.metadata()?.len(), self.file_len() as u64);
        let content = map(&file)?;
        self.check(&content, found, expected)?;
        self.dataset(&content.slice(HEADER_LEN..))
    }

    fn check(&self, content: &[u8], found: u64, expected: u64) -> Result<(), Miss> {
        // What the file is comes before how long it is: a clearer reason.
        let version = content.strip_prefix(&MAGIC).and_then(|rest| rest.first_chunk());
        match version.copied().map(u32::from_le_bytes).ok_or(Miss::Foreign)? {
            VERSION => (),
            found => return Err(Miss::Version { found }),
        }
        if found != expected || content.len() as u64 != expected {
            return Err(Miss::Length { found, expected });
        }
        let (header, payload) = content.split_at(HEADER_LEN);
        let (known, digest) = header.split_at(KNOWN_LEN);
        if known != self.known {
            return Err(Miss::Source);
        }
        if digest != Sha256::digest(payload).as_slice() {
            return Err(Miss::Digest);
        }
        Ok(())
    }

    /// Cuts the payload, whose length was checked.
    fn dataset(&self, payload: &Bytes) -> Result<ImageDataset, Miss> {
        let lengths = n_examples(self.info);
        let n_pixels: usize = self.info.example_shape.iter().product();
        let pixels_len = lengths.iter().sum::<usize>() * n_pixels;
        let (pixels, mut labels) = (payload.slice(..pixels_len), &payload[pixels_len..]);
        let mut start = 0;
        let mut split = |n: usize| {
            let (of_split, rest) = labels.split_at(n * size_of::<u16>());
            let of_split = of_split.as_chunks().0.iter().map(|label| u16::from_le_bytes(*label));
            let of_split: ndarray::Array1<u16> = of_split.collect();
            if of_split.iter().any(|&label| usize::from(label) >= self.info.n_classes) {
                return Err(Miss::Label);
            }
            let end = start + n * n_pixels;
            let pixels = pixels.slice(start..end);
            (labels, start) = (rest, end);
            Ok(Split::of_pixels(pixels, self.info.example_shape, of_split))
        };
        let [train, validation, test] = lengths;
        Ok(ImageDataset {
            preprocessing: self.info.preprocessing,
            name: self.info.name,
            n_classes: self.info.n_classes,
            train: split(train)?,
            validation: split(validation)?,
            test: Some(split(test)?),
        })
    }

    /// Puts a data set into the file, whole or not at all.
    ///
    /// It is not flushed to the disk: a file that a crash leaves torn fails its check and is made
    /// anew.
    pub(crate) fn write(&self, dataset: &ImageDataset) -> io::Result<()> {
        let splits: Vec<&Split> =
            [&dataset.train, &dataset.validation].into_iter().chain(&dataset.test).collect();
        let labels: Vec<u8> = splits
            .iter()
            .flat_map(|split| split.labels().into_iter().flat_map(|label| label.to_le_bytes()))
            .collect();
        let pixels = splits.iter().map(|split| &split.pixels()[..]);
        let payload: Vec<&[u8]> = pixels.chain([labels.as_slice()]).collect();
        let digest = payload.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part));
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        let mut writer = BufWriter::new(&mut file);
        writer.write_all(&self.known)?;
        writer.write_all(&digest.finalize())?;
        payload.into_iter().try_for_each(|part| writer.write_all(part))?;
        writer.flush()?;
        drop(writer);
        file.persist(&self.path)?;
        Ok(())
    }

    fn file_len(&self) -> usize {
        let n_pixels: usize = self.info.example_shape.iter().product();
        let example_len = n_pixels + size_of::<u16>();
        HEADER_LEN + n_examples(self.info).iter().sum::<usize>() * example_len
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Maps a file into memory, read only.
pub(crate) fn map(file: &File) -> io::Result<Bytes> {
    #[expect(unsafe_code, reason = "the one way to map a file; see SAFETY")]
    // SAFETY: the bytes of a map must not change while it is borrowed. We never write to a cache
    // file that has its name: it is written under another one and renamed, so what is mapped here
    // is the only content this inode ever gets from us. Nothing keeps another program from writing
    // into it in place: then pixels would change under a run, or, if it is cut short, the process
    // would be ended by SIGBUS. The file is the user's own, in a folder of our name, and that is
    // the same trust as in the program's own executable, which is mapped just so.
    let map = unsafe { Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}

/// Examples of the splits, in the order of the file.
fn n_examples(info: &ImageInfo) -> [usize; N_SPLITS] {
    [info.n_train, info.n_validation, info.n_test]
}

/// What the content of a file is a function of, beside this program.
fn key(info: &ImageInfo) -> [u8; HASH_LEN] {
    let shape = info
        .example_shape
        .iter()
        .chain(&n_examples(info))
        .chain([&info.n_classes])
        .fold(Sha256::new_with_prefix(format!("{RULE}: {}\n", info.name)), |hash, &length| {
            hash.chain_update((length as u64).to_le_bytes())
        });
    let files = info.storage.files();
    files.iter().fold(shape, |hash, file| hash.chain_update(file.sha256)).finalize().into()
}

/// What changes when a source file does.
pub(crate) fn stamp(sources: &[PathBuf]) -> io::Result<[u8; HASH_LEN]> {
    let mut hash = Sha256::new();
    for path in sources {
        let metadata = fs::metadata(path)?;
        let path = std::path::absolute(path)?;
        let path = path.as_os_str().as_encoded_bytes();
        let age = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH);
        // Before 1970 the time counts backwards.
        let nanoseconds = age.unwrap_or_else(|error| error.duration()).as_nanos();
        hash.update((path.len() as u64).to_le_bytes());
        hash.update(path);
        hash.update(metadata.len().to_le_bytes());
        hash.update(nanoseconds.to_le_bytes());
    }
    Ok(hash.finalize().into())
}

fn known_header(info: &ImageInfo, key: [u8; HASH_LEN], stamp: [u8; HASH_LEN]) -> [u8; KNOWN_LEN] {
    let n_splits = u32::try_from(N_SPLITS).expect("three");
    let shapes = n_examples(info).into_iter().flat_map(|n| {
        let [height, width, channels] = info.example_shape;
        [n, height, width, channels].map(|length| (length as u64).to_le_bytes())
    });
    let shapes: Vec<u8> = shapes.flatten().collect();
    let parts: [&[u8]; 6] =
        [&MAGIC, &VERSION.to_le_bytes(), &n_splits.to_le_bytes(), &key, &stamp, &shapes];
    parts.concat().try_into().expect("the parts are as long as the constant says")
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
