//! Data sets as host arrays: where their files are, reading and checking them, splits.
//!
//! ```
//! let dataset = critbatch_data::load_images("mnist_5k", None)?;
//! assert_eq!(dataset.train.images().dim(), (4_000, 28, 28, 1));
//! assert_eq!(dataset.validation.labels().dim(), 500);
//! # Ok::<(), critbatch_data::DataError>(())
//! ```
//!
//! The path of one data set through the files: [`find`] looks its facts up in `catalogue.rs`,
//! [`locate`] finds its folder (`locate.rs`), `read.rs` decompresses each file without trusting
//! its size and `idx.rs` or `records.rs` parses it, `load.rs` compares its SHA-256 with the published one and
//! cuts the examples into the parts that `split.rs` names. What came out is kept in a file
//! (`cache.rs`), which the next load maps into memory instead: see [`load`](load()).
//!
//! Photographs (`photos/`) stay in files of their own until a batch needs them.
//!
//! A corpus of text (`text/`) is looked up and located likewise; its lines become sub-words in a file of
//! its own that is mapped too.
//!
//! Invariants: two loads of one name give the same bytes on every machine, or an error; no
//! random numbers, no clock (only the files' times of change), no network, no GPU types. Pixels stay `u8`: scaling them is the
//! model's business, and a device can do it after a transfer of a quarter of the size.

mod cache;
mod catalogue;
mod dataset;
mod download;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod idx;
mod load;
mod locate;
mod photos;
mod read;
mod records;
mod split;
#[cfg(test)]
mod testing;
mod text;

pub use cache::CACHE_VARIABLE;
pub use catalogue::{DatasetInfo, ImageInfo, PhotoInfo, Preprocessing, TextInfo, catalogue, find};
pub use dataset::{Dataset, ImageDataset, Split};
pub use download::{CheckedFile, Download, RemoteFile, check};
pub use error::DataError;
pub use load::{load, load_images};
pub use locate::{DATA_DIR_VARIABLE, Location, locate, own_data_dir};
pub use photos::{CHANNEL_MEANS, LabelSets, Labels, PhotoDataset, Photos, View};
pub use text::{PADDING, Sentences, TextDataset};
