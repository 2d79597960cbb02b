//! A whole store in one compressed file: small enough to be sent or kept under version control, and read
//! like the directory that it came from.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rusqlite::{Connection, MAIN_DB};

use super::open::{self, claim, with_meta};
use super::{Origin, STORE_FILE_NAME, Store, failure};
use crate::error::TunerError;

/// How the name of a compressed store ends.
pub const COMPRESSED_STORE_SUFFIX: &str = ".sqlite.gz";

/// The most that a compressed store may hold: what SQLite takes into memory. A file can say that it is
/// larger than any machine.
const LARGEST_STORE_BYTES: u64 = 1 << 30;

/// How every SQLite file begins.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Where an SQLite file says which versions of the format write and read it: 1, or 2 for a write-ahead log,
/// which a database in memory does not have.
const FORMAT_VERSIONS: std::ops::Range<usize> = 18..20;

impl Store {
    /// Writes all of a store into one file, in place of an earlier one of the same experiment. The same store
    /// gives the same bytes.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read or the file not be written, or there is one that holds something else.
    pub fn write_compressed(&self, path: &Path) -> Result<(), TunerError> {
        self.expect_nothing_else(path)?;
        let beside = |what: &str| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!(".{name}.{}.{what}", std::process::id()))
        };
        let (plain, compressed) = (beside("plain"), beside("tmp"));
        let written = self.vacuum_into(&plain).and_then(|()| {
            let written =
                compress(&plain, &compressed).and_then(|()| fs::rename(&compressed, path));
            written.map_err(file_failure("write the compressed store", path))
        });
        for temporary in [&plain, &compressed] {
            let _ = fs::remove_file(temporary);
        }
        written
    }

    /// Reads a [compressed](Store::write_compressed) store, into memory.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or holds no store, or one of another version or of more than 1 GiB.
    pub fn read_compressed(path: &Path) -> Result<Store, TunerError> {
        in_memory(decompressed(path)?, path)
    }

    /// Makes the directory that a [compressed](Store::write_compressed) store came from: what it holds can be
    /// gone on with there. The directory must be new or empty.
    ///
    /// # Errors
    ///
    /// As [`read_compressed`](Store::read_compressed), and where the directory holds something or cannot be
    /// written.
    pub fn unpack(compressed: &Path, directory: &Path) -> Result<(), TunerError> {
        let bytes = decompressed(compressed)?;
        in_memory(bytes.clone(), compressed)?;
        let (connection, path, _lock) = claim(directory)?;
        if !open::is_empty(&connection).map_err(failure(&path, "open"))? {
            return Err(TunerError::NotEmpty { directory: directory.to_owned() });
        }
        drop(connection);
        let write = || -> io::Result<()> {
            let temporary = path.with_file_name(format!("{STORE_FILE_NAME}.tmp"));
            let mut file = File::create(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().map_err(file_failure("write the store", &path))
    }

    /// The same in memory, with what a run has committed so far.
    pub(super) fn copy_in_memory(&self) -> Result<Store, TunerError> {
        let failure = || failure(&self.path, "read");
        let mut connection = open::read_only_connection(&self.path)?;
        let bytes = connection.serialize(MAIN_DB).map_err(failure())?.to_vec();
        in_memory(bytes, &self.path)
    }

    /// That a file is not there, or an earlier export of this experiment.
    fn expect_nothing_else(&self, path: &Path) -> Result<(), TunerError> {
        if !path.exists() {
            return Ok(());
        }
        let earlier = Store::read_compressed(path).ok();
        let is_earlier = earlier.is_some_and(|earlier| match (earlier.origin(), self.origin()) {
            (Origin::Measured(earlier), Origin::Measured(now)) => {
                earlier.differences(now).is_empty() || now.is_grown_from(earlier)
            }
            (earlier, now) => earlier == now,
        });
        match is_earlier {
            true => Ok(()),
            false => Err(TunerError::OtherExport { path: path.to_owned() }),
        }
    }

    /// Copies a store into a new file.
    fn vacuum_into(&self, path: &Path) -> Result<(), TunerError> {
        // SQLite fills an empty file, but does not tell why there can be none.
        File::create(path).map_err(file_failure("write", path))?;
        let name = path.to_string_lossy();
        let written = self.connection.execute("VACUUM INTO ?1", [name]);
        written.map(|_| ()).map_err(self.failure("copy"))
    }

    /// The store of a file that is shorter than it says, with zeros in place of what it lost, which SQLite finds
    /// damaged where it looks for them; in memory. And how many bytes that are.
    ///
    /// # Errors
    ///
    /// Where the file is not shorter, or the rest does not say what it holds.
    pub(crate) fn without_its_end(path: &Path) -> Result<(Store, u64), TunerError> {
        let mut bytes = fs::read(path).map_err(file_failure("read the store", path))?;
        let n_bytes = bytes.len() as u64;
        let stated =
            stated_bytes(&bytes).filter(|n| (n_bytes + 1..=LARGEST_STORE_BYTES).contains(n));
        let not_a_store = || TunerError::NotAStore { path: path.to_owned() };
        let stated = stated.ok_or_else(not_a_store)?;
        bytes.extend(std::iter::repeat_n(0, usize::try_from(stated - n_bytes).unwrap_or(0)));
        Ok((in_memory(bytes, path)?, stated - n_bytes))
    }
}

/// How long an SQLite file says that it is: pages of so many bytes, 1 for 65,536, and how many of them
/// (<https://www.sqlite.org/fileformat.html>, 1.3).
fn stated_bytes(file: &[u8]) -> Option<u64> {
    let page = file.get(16..18)?.try_into().map(u16::from_be_bytes).ok()?;
    let n_pages = file.get(28..32)?.try_into().map(u32::from_be_bytes).ok()?;
    let page = if page == 1 { 1 << 16 } else { u64::from(page) };
    Some(page * u64::from(n_pages))
}

fn file_failure(action: &'static str, path: &Path) -> impl Fn(io::Error) -> TunerError + use<> {
    let path = path.to_owned();
    move |source| TunerError::File { action, path: path.clone(), source }
}

fn compress(plain: &Path, compressed: &Path) -> io::Result<()> {
    // The header holds neither a time nor a name.
    let mut encoder = GzEncoder::new(File::create(compressed)?, Compression::best());
    io::copy(&mut File::open(plain)?, &mut encoder)?;
    encoder.finish()?.sync_all()
}

fn decompressed(path: &Path) -> Result<Vec<u8>, TunerError> {
    let failure = file_failure("read the compressed store", path);
    let file = File::open(path).map_err(&failure)?;
    let mut bytes = Vec::new();
    // One byte more than allowed shows that there are more.
    let mut file = BufReader::new(file);
    if file.fill_buf().map_err(&failure)?.starts_with(SQLITE_MAGIC) {
        return Err(TunerError::NotCompressed { path: path.to_owned() });
    }
    let n_read = GzDecoder::new(file).take(LARGEST_STORE_BYTES + 1).read_to_end(&mut bytes);
    if n_read.map_err(&failure)? as u64 > LARGEST_STORE_BYTES {
        let problem = "it holds more than 1 GiB; unpack it by gunzip, into a directory";
        return Err(failure(io::Error::other(problem)));
    }
    Ok(bytes)
}

/// A store of the bytes of its file, which `path` names in error messages.
fn in_memory(mut bytes: Vec<u8>, path: &Path) -> Result<Store, TunerError> {
    let not_a_store = || TunerError::NotAStore { path: path.to_owned() };
    bytes.get_mut(FORMAT_VERSIONS).ok_or_else(not_a_store)?.fill(1);
    let mut connection = Connection::open_in_memory().map_err(failure(path, "open"))?;
    connection
        .deserialize_read_exact(MAIN_DB, bytes.as_slice(), bytes.len(), false)
        .map_err(failure(path, "open"))?;
    open::check_version(&connection, path)?;
    with_meta(connection, PathBuf::from(path), None)
}
