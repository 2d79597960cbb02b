//! Tests of `load.rs`: the whole path on small synthetic files, each error met where it arises.

use std::fs;

use super::*;
use crate::testing::{FILE_NAMES, Places, Tiny, gzip, idx_bytes};

/// Loads `info` from a folder with the contents of `files`.
fn load_tiny(info: &ImageInfo, files: &Tiny) -> Result<ImageDataset, DataError> {
    let places = Places::new();
    files.write_gzip(&places.path("data/tiny_shapes"));
    load_from(info, &places.search_path(), &Cache { folder: None })
}

/// Loads files of which one has another content, under a catalogue entry that expects the right
/// one, and returns the message without the folder.
fn message_for(file_index: usize, content: Vec<u8>) -> String {
    let info = Tiny::new().info();
    let mut files = Tiny::new();
    files.contents[file_index] = content;
    let places = Places::new();
    let folder = places.path("data/tiny_shapes");
    files.write_gzip(&folder);
    let error =
        load_from(&info, &places.search_path(), &Cache { folder: None }).unwrap_err().to_string();
    error.replace(&format!("{}/", folder.display()), "")
}

#[test]
fn splits_hold_the_examples_that_the_partition_names() {
    let dataset = load_tiny(&Tiny::new().info(), &Tiny::new()).unwrap();
    assert_eq!((dataset.name, dataset.n_classes), ("tiny_shapes", 4));
    let [validation, train] = partition("tiny_shapes", [3, 9]);
    let test = dataset.test.unwrap();
    let splits =
        [(&dataset.train, train), (&dataset.validation, validation), (&test, vec![12, 13])];
    for (split, indices) in splits {
        assert_eq!(split.images().dim(), (indices.len(), 2, 3, 1));
        assert!(split.images().is_standard_layout());
        for (row, &index) in indices.iter().enumerate() {
            assert_eq!(usize::from(split.labels()[row]), index % 4);
            for ((y, x, _), &pixel) in
                split.images().index_axis(ndarray::Axis(0), row).indexed_iter()
            {
                assert_eq!(usize::from(pixel), 6 * index + 3 * y + x);
            }
        }
    }
}

#[test]
fn plain_and_compressed_files_load_alike() {
    let (info, files) = (Tiny::new().info(), Tiny::new());
    let places = Places::new();
    files.write_plain(&places.path("variable"));
    assert_eq!(
        load_from(&info, &places.search_path(), &Cache { folder: None }).unwrap(),
        load_tiny(&info, &files).unwrap()
    );
}

#[test]
fn a_changed_byte_in_any_file_is_a_wrong_checksum() {
    let expected = Tiny::new();
    for (index, name) in FILE_NAMES.iter().enumerate() {
        let mut content = expected.contents[index].clone();
        *content.last_mut().unwrap() ^= 1;
        let [found, needed] = [&content, &expected.contents[index]]
            .map(|content| hexadecimal(&Sha256::digest(content)));
        assert_eq!(
            message_for(index, content),
            format!(
                "{name}.gz: sha-256 of the decompressed content is {found}, data set 'tiny_shapes' needs {needed}; fetch the file again"
            )
        );
    }
}

#[test]
fn the_files_of_another_data_set_are_named_as_such() {
    // mnist_5k is the data set of the catalogue that is always at hand.
    let mnist_5k = find("mnist_5k").unwrap().images().unwrap();
    let Storage::Embedded { examples, images_gz, labels_gz } = &mnist_5k.storage else {
        panic!("mnist_5k is embedded");
    };
    let mut info = Tiny::new().info();
    (info.example_shape, info.n_train, info.n_validation) = ([28, 28, 1], 4_500, 500);
    let places = Places::new();
    let folder = places.path("data");
    Tiny::new().write_gzip(&folder);
    fs::write(folder.join("train-images.gz"), images_gz).unwrap();
    fs::write(folder.join("train-labels.gz"), labels_gz).unwrap();
    let error =
        load_from(&info, &places.search_path(), &Cache { folder: None }).unwrap_err().to_string();
    let sha256 = hexadecimal(&examples.images.sha256);
    let expected = format!(
        "train-images.gz: is data set 'mnist_5k' (sha-256 {sha256}), not 'tiny_shapes' (sha-256 "
    );
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn a_wrong_number_of_images_is_named() {
    assert_eq!(
        message_for(0, idx_bytes(&[2, 2, 3], &[0; 12])),
        "train-images.gz: has shape [2, 2, 3], data set 'tiny_shapes' needs [12, 2, 3] (images, height, width); are the training and the test files swapped?"
    );
}

#[test]
fn a_wrong_number_of_labels_is_named_with_both_files() {
    let message = message_for(1, idx_bytes(&[11], &[0; 11]));
    assert!(message.starts_with("train-labels.gz: has 11 labels for the 12 images of "));
    assert!(message.ends_with("train-images.gz; the two files do not belong together"));
}

#[test]
fn a_label_that_is_no_class_is_named() {
    let mut files = Tiny::new();
    files.contents[1] = idx_bytes(&[12], &[0, 1, 2, 3, 0, 4, 0, 0, 0, 0, 0, 9]);
    let error = load_tiny(&files.info(), &files).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "train-labels.gz: label 4 of example 5 is out of range; data set 'tiny_shapes' has classes 0 to 3"
        ),
        "{error}"
    );
}

#[test]
fn truncated_and_extended_files_are_named() {
    let content = Tiny::new().contents[0].clone();
    assert_eq!(
        message_for(0, content[..20].to_vec()),
        "train-images.gz: holds 4 bytes after the header, the header's dimensions [12, 2, 3] declare 72; the file is truncated, fetch it again"
    );
    assert_eq!(
        message_for(0, [content.as_slice(), &[0; 7]].concat()),
        "train-images.gz: holds more than the expected 88 bytes; it is another file or has bytes added at its end"
    );
}

#[test]
fn images_in_place_of_labels_are_named() {
    let message = message_for(1, idx_bytes(&[1, 1, 1], &[0]));
    assert_eq!(
        message,
        "train-labels.gz: idx header declares 3 dimensions, expected 1; images have 3 and labels 1, are the two files swapped?"
    );
}

/// Three training files of two records and a test file of one, of 1 x 2 pixels in 3 channels:
/// record i has label i and the bytes `10 i ..` plane by plane.
fn record_files() -> ([Vec<u8>; 4], ImageInfo) {
    let record = |i: u8| [&[i][..], &(10 * i..10 * i + 6).collect::<Vec<_>>()].concat();
    let contents = [
        [record(0), record(1)].concat(),
        [record(2), record(3)].concat(),
        [record(4), record(5)].concat(),
        record(6),
    ];
    let file = |index: usize| DataFile {
        name: FILE_NAMES[index],
        sha256: Sha256::digest(&contents[index]).into(),
    };
    let info = ImageInfo {
        n_classes: 7,
        example_shape: [1, 2, 3],
        n_train: 4,
        n_validation: 2,
        n_test: 1,
        storage: Storage::Folder(Files::Records {
            train: vec![file(0), file(1), file(2)].leak(),
            test: file(3),
            folder: "as-unpacked",
        }),
        ..Tiny::new().info()
    };
    (contents, info)
}

#[test]
fn files_of_records_are_joined_and_found_where_their_archive_unpacks() {
    let (contents, info) = record_files();
    let places = Places::new();
    Tiny { contents }.write_plain(&places.path("variable/as-unpacked"));
    let dataset = load_from(&info, &places.search_path(), &Cache { folder: None }).unwrap();
    let [validation, train] = partition("tiny_shapes", [2, 4]);
    let test = dataset.test.unwrap();
    for (split, indices) in
        [(&dataset.train, train), (&dataset.validation, validation), (&test, vec![6])]
    {
        for (row, &index) in indices.iter().enumerate() {
            let i = u8::try_from(index).unwrap();
            assert_eq!(split.labels()[row], u16::from(i));
            let pixels: Vec<u8> =
                split.images().index_axis(ndarray::Axis(0), row).iter().copied().collect();
            let expected = [0, 2, 4, 1, 3, 5].map(|offset| 10 * i + offset);
            assert_eq!(pixels, expected, "the channels of a pixel lie side by side");
        }
    }
}

#[test]
fn a_damaged_file_of_records_is_named() {
    let message = |index: usize, content: Vec<u8>, info: ImageInfo| {
        let (mut contents, _) = record_files();
        contents[index] = content;
        let places = Places::new();
        Tiny { contents }.write_gzip(&places.path("data"));
        load_from(&info, &places.search_path(), &Cache { folder: None }).unwrap_err().to_string()
    };
    let (contents, info) = record_files();
    let short = message(1, contents[1][..9].to_vec(), info.clone());
    assert!(short.ends_with("train-labels.gz: holds 9 bytes, 2 records of 7 bytes each are 14; the file is truncated, fetch it again"), "{short}");
    let long = message(1, [contents[1].as_slice(), &[0]].concat(), info.clone());
    assert!(long.contains("train-labels.gz: holds more than the expected 14 bytes"), "{long}");
    let mut changed = contents[3].clone();
    changed[6] ^= 1;
    let changed = message(3, changed, info.clone());
    assert!(
        changed.contains("test-labels.gz: sha-256 of the decompressed content is"),
        "{changed}"
    );
    let few_classes = ImageInfo { n_classes: 3, ..info };
    let label = message(0, contents[0].clone(), few_classes);
    assert!(label.contains("train-labels.gz: label 3 of example 1 is out of range"), "{label}");
}

#[test]
fn a_file_that_vanishes_after_the_search_is_a_read_error() {
    let places = Places::new();
    let error = source(&places.path("data"), "train-images").unwrap_err();
    assert!(matches!(error, DataError::Read { .. }), "{error}");
}

#[test]
fn embedded_bytes_that_do_not_match_the_catalogue_are_an_error() {
    let images = idx_bytes(&[3, 1, 1], &[10, 20, 30]);
    let labels = idx_bytes(&[3], &[0, 1, 1]);
    let file = |name, content: &[u8]| DataFile { name, sha256: Sha256::digest(content).into() };
    let mut info = ImageInfo {
        n_classes: 2,
        example_shape: [1, 1, 1],
        n_train: 1,
        n_validation: 1,
        n_test: 1,
        storage: Storage::Embedded {
            examples: IdxPair { images: file("i", &images), labels: file("l", &labels) },
            images_gz: gzip(&images).leak(),
            labels_gz: gzip(&labels).leak(),
        },
        ..Tiny::new().info()
    };
    let dataset = load_from(&info, &Places::new().search_path(), &Cache { folder: None }).unwrap();
    let test = dataset.test.unwrap();
    let mut examples: Vec<(u8, u16)> = [&dataset.train, &dataset.validation, &test]
        .map(|split| (split.images()[[0, 0, 0, 0]], split.labels()[0]))
        .to_vec();
    examples.sort_unstable();
    assert_eq!(examples, [(10, 0), (20, 1), (30, 1)]);

    let Storage::Embedded { examples, .. } = &mut info.storage else {
        panic!("embedded as made above");
    };
    examples.labels.sha256[31] ^= 1;
    let error = load_from(&info, &Places::new().search_path(), &Cache { folder: None })
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("embedded/l: sha-256 of "), "{error}");
}

#[test]
fn parts_of_a_training_set_lie_within_each_other() {
    let part = |n_train| {
        let info = ImageInfo {
            name: "part",
            n_train,
            storage: Storage::PartOf("mnist_5k"),
            ..find("mnist_5k").unwrap().images().unwrap().clone()
        };
        load_from(&info, &Places::new().search_path(), &Cache { folder: None }).unwrap()
    };
    let whole = load_images("mnist_5k", None).unwrap();
    let (all, half, quarter) = (part(4_000), part(2_000), part(1_000));
    assert_eq!((all.train.len(), half.train.len(), quarter.train.len()), (4_000, 2_000, 1_000));
    assert_eq!((all.name, &all.train, &all.validation), ("part", &whole.train, &whole.validation));
    assert_eq!((&half.test, &half.validation), (&whole.test, &whole.validation));
    // In order: each example of the smaller part comes in the larger one behind the last that came.
    for (small, large) in [(&quarter.train, &half.train), (&half.train, &all.train)] {
        let (small, large) = (small.images(), large.images());
        let mut rest = large.outer_iter();
        assert!(small.outer_iter().all(|image| rest.any(|other| other == image)));
    }
    // Classes keep their shares: 100 of each are expected, standard deviation 8.2.
    for class in 0..10 {
        let n = quarter.train.labels().iter().filter(|&&label| label == class).count();
        assert!(n.abs_diff(100) < 35, "{n} of class {class}");
    }
}
