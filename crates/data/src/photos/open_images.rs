//! Open Images V4: many labels a photograph, in published tables.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{LabelSets, Labels, PhotoDataset, PhotoFiles, Photos, folders};
use crate::error::DataError;
use crate::locate::existing_file;

/// Folder and published table of each split: training, validation, test.
const SPLITS: [(&str, &str); 3] = [
    ("train", "train-annotations-human-imagelabels.csv"),
    ("validation", "validation-annotations-human-imagelabels.csv"),
    ("test", "test-annotations-human-imagelabels.csv"),
];

/// A class is one that so many training photographs are verified to show.
const MIN_POSITIVES: usize = 100;

pub(super) fn needs() -> Vec<&'static str> {
    SPLITS.into_iter().flat_map(|(folder, table)| [folder, table]).collect()
}

/// Classes that each photograph is verified to show, by the photograph's name.
type Positives = BTreeMap<String, Vec<String>>;

pub(super) fn load(name: &'static str, folder: &Path) -> Result<PhotoDataset, DataError> {
    let tables = SPLITS.map(|(_, table)| read_table(folder, table));
    let [train, validation, test] = tables;
    let (train, validation, test) = (train?, validation?, test?);
    let classes = trainable(&train);
    if classes.is_empty() {
        let (path, min) = (folder.join(SPLITS[0].1), MIN_POSITIVES);
        return Err(DataError::NoTrainableClass { path, min });
    }
    let photos =
        |split: usize, positives| photos(&folder.join(SPLITS[split].0), positives, &classes);
    Ok(PhotoDataset {
        name,
        n_classes: classes.len(),
        train: photos(0, train)?,
        validation: photos(1, validation)?,
        test: Some(photos(2, test)?),
        digest: None,
    })
}

/// The positives of a table `ImageID,Source,LabelName,Confidence`: confidence 1; 0 says that people
/// saw that the class is not there.
fn read_table(folder: &Path, name: &str) -> Result<Positives, DataError> {
    let (path, content) = open_table(folder, name)?;
    let damaged = |line: u64, problem: &str| DataError::Table {
        path: path.clone(),
        line,
        problem: problem.to_owned(),
    };
    let mut reader = csv::Reader::from_reader(content);
    let headers = reader.headers().map_err(|error| damaged(1, &error.to_string()))?;
    let column = |name: &str| {
        let place = headers.iter().position(|header| header == name);
        place.ok_or_else(|| damaged(1, &format!("there is no column '{name}'")))
    };
    let columns = [column("ImageID")?, column("LabelName")?, column("Confidence")?];
    let mut positives = Positives::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            damaged(error.position().map_or(0, csv::Position::line), &error.to_string())
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let [image, label, confidence] = columns.map(|column| record.get(column).unwrap_or(""));
        match confidence.parse::<f64>() {
            Ok(confidence) if confidence >= 0.5 => {
                positives.entry(image.to_owned()).or_default().push(label.to_owned());
            }
            Ok(_) => {}
            Err(_) => {
                let problem = format!("the confidence is '{confidence}', expected 0 or 1");
                return Err(damaged(line, &problem));
            }
        }
    }
    Ok(positives)
}

fn open_table(folder: &Path, name: &str) -> Result<(PathBuf, Box<dyn Read>), DataError> {
    let unreadable = |source| DataError::Read { path: folder.join(name), source };
    let path = existing_file(folder, name).map_err(unreadable)?;
    let path = path.ok_or_else(|| unreadable(std::io::ErrorKind::NotFound.into()))?;
    let file = std::fs::File::open(&path).map_err(unreadable)?;
    let content: Box<dyn Read> = match path.extension().is_some_and(|ending| ending == "gz") {
        true => Box::new(flate2::read::MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    Ok((path, content))
}

/// Classes with enough positives, in order of name.
fn trainable(train: &Positives) -> BTreeMap<String, u16> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for label in train.values().flatten() {
        *counts.entry(label).or_default() += 1;
    }
    let mut names: Vec<String> = counts
        .into_iter()
        .filter(|&(_, count)| count >= MIN_POSITIVES)
        .map(|(name, _)| name.to_owned())
        .collect();
    names.sort_unstable();
    // The last number of 16 bits stands for no class.
    names.into_iter().zip(0..u16::MAX).collect()
}

/// The photographs of a folder with at least one of the classes. Those of the table that the folder
/// has not are left out, and counted.
fn photos(
    folder: &Path,
    positives: Positives,
    classes: &BTreeMap<String, u16>,
) -> Result<Photos, DataError> {
    let present = folders::Contents::of(folder)?.photos;
    let (mut files, mut sets) = (vec![], vec![]);
    let mut n_labelled = 0;
    let file_of: HashMap<&str, &str> =
        present.iter().filter_map(|file| Some((file.rsplit_once('.')?.0, file.as_str()))).collect();
    for (image, labels) in positives {
        let mut set: Vec<u16> =
            labels.iter().filter_map(|label| classes.get(label).copied()).collect();
        set.sort_unstable();
        set.dedup();
        if set.is_empty() {
            continue;
        }
        n_labelled += 1;
        if let Some(&file) = file_of.get(image.as_str()) {
            files.push(file);
            sets.push(set);
        }
    }
    if files.len() < n_labelled {
        tracing::warn!(
            "{}: has {} of the {n_labelled} photographs that are labelled; the others are left out",
            folder.display(),
            files.len()
        );
    }
    let labels = Labels::Many(LabelSets::new(&sets));
    Ok(Photos::new(Arc::new(PhotoFiles::new(folder, files)), labels))
}
