//! Tests of `locate.rs`: the order of the places, and what the error says of each.

use std::fs;

use super::*;
use crate::catalogue::find;
use crate::testing::{FILE_NAMES, Places, Tiny};

fn find_tiny(places: &Places) -> Result<PathBuf, DataError> {
    places.search_path().find_folder(&Tiny::new().info())
}

#[test]
fn places_are_tried_in_the_documented_order() {
    let places = Places::new();
    // Last place first: each new folder has to win over all the ones written before.
    for folder in [
        "system/tiny-shapes",
        "own/tiny_shapes",
        "variable",
        "variable/tiny-shapes",
        "variable/tiny_shapes",
        "data",
        "data/tiny-shapes",
        "data/tiny_shapes",
    ] {
        Tiny::new().write_gzip(&places.path(folder));
        assert_eq!(find_tiny(&places).unwrap(), places.path(folder));
    }
}

#[test]
fn a_folder_may_mix_plain_and_compressed_files_and_plain_ones_win() {
    let places = Places::new();
    let folder = places.path("data");
    Tiny::new().write_gzip(&folder);
    fs::copy(folder.join("train-images.gz"), folder.join("train-images")).unwrap();
    fs::remove_file(folder.join("test-labels.gz")).unwrap();
    fs::write(folder.join("test-labels"), b"").unwrap();
    assert_eq!(find_tiny(&places).unwrap(), folder);
    let existing = FILE_NAMES.map(|name| existing_file(&folder, name).unwrap().unwrap());
    let expected = ["train-images", "train-labels.gz", "test-images.gz", "test-labels"];
    assert_eq!(existing, expected.map(|name| folder.join(name)));
}

#[test]
fn an_incomplete_folder_is_passed_over() {
    let places = Places::new();
    Tiny::new().write_plain(&places.path("data"));
    fs::remove_file(places.path("data/train-labels")).unwrap();
    // A folder of the file's name is no file.
    fs::create_dir(places.path("data/train-labels")).unwrap();
    Tiny::new().write_plain(&places.path("system/tiny-shapes"));
    assert_eq!(find_tiny(&places).unwrap(), places.path("system/tiny-shapes"));
}

#[test]
fn the_error_names_every_place_and_what_it_lacks() {
    let places = Places::new();
    Tiny::new().write_plain(&places.path("data"));
    fs::remove_file(places.path("data/train-labels")).unwrap();
    fs::remove_file(places.path("data/test-labels")).unwrap();
    fs::write(places.path("variable/tiny-shapes"), b"").unwrap();
    let root = places.root.path().display();
    assert_eq!(
        find_tiny(&places).unwrap_err().to_string(),
        format!(
            "data set 'tiny_shapes' not found; looked in: {root}/data/tiny_shapes (no such folder), \
             {root}/data/tiny-shapes (no such folder), {root}/data (lacks train-labels, test-labels), \
             {root}/variable/tiny_shapes (no such folder), {root}/variable/tiny-shapes (not a folder), \
             {root}/variable (none of the files), {root}/own/tiny_shapes (no such folder), \
             {root}/system/tiny-shapes (no such folder); \
             run the maker, or put train-images, train-labels, test-images, test-labels (each plain \
             or .gz) in one folder and name it by --data-dir or CRITBATCH_DATA"
        )
    );
}

#[test]
fn an_unset_variable_is_mentioned_and_no_folder_twice() {
    let places = Places::new();
    let search_path = SearchPath { variable_dir: None, ..places.search_path() };
    let error =
        search_path.find_folder(find("mnist").unwrap().images().unwrap()).unwrap_err().to_string();
    assert!(error.contains("$CRITBATCH_DATA (not set)"), "{error}");
    assert_eq!(error.matches("data/mnist (").count(), 1, "{error}");
    for file in [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ] {
        assert!(error.contains(file), "{error}");
    }
}

#[test]
fn the_error_for_fashion_mnist_names_the_debian_package() {
    let error = Places::new()
        .search_path()
        .find_folder(find("fashion_mnist").unwrap().images().unwrap())
        .unwrap_err();
    assert!(error.to_string().contains("`apt-get install dataset-fashion-mnist`"), "{error}");
}

#[test]
fn an_embedded_data_set_needs_no_folder() {
    let location = locate(find("mnist_5k").unwrap(), Some(Path::new("/nowhere"))).unwrap();
    assert_eq!(location, Location::Embedded);
    assert_eq!(location.to_string(), "embedded in the program");
    assert_eq!(Location::Folder("/data".into()).to_string(), "/data");
}
