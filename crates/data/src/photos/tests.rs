//! Photographs made here, in every layout; what is seen of them.

use std::fs;
use std::path::{Path, PathBuf};

use image::{GrayImage, Rgb, RgbImage};

use super::*;
use crate::catalogue::{DatasetInfo, find};
use crate::locate::SearchPath;

/// A photograph whose red grows to the right and whose green grows downwards.
fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let part = |at: u32, len: u32| u8::try_from(255 * at / len).unwrap();
        Rgb([part(x, width), part(y, height), 60])
    })
}

fn save(image: &RgbImage, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

/// One file as a split.
fn photos_of(path: &Path) -> Photos {
    let name = path.file_name().unwrap().to_str().unwrap();
    let files = PhotoFiles::new(path.parent().unwrap(), [name]);
    Photos::new(Arc::new(files), Labels::One([0].into()))
}

fn seen(path: &Path, view: View) -> RgbImage {
    let mut bytes = vec![1; SIDE * SIDE * 3];
    photos_of(path).read(0, view, &mut bytes);
    RgbImage::from_raw(SIDE as u32, SIDE as u32, bytes).unwrap()
}

fn load(name: &str, folder: &Path) -> Result<PhotoDataset, crate::DataError> {
    let DatasetInfo::Photos(info) = find(name).unwrap() else { panic!("{name} has photographs") };
    let search_path = SearchPath {
        data_dir: Some(folder.to_owned()),
        variable_dir: None,
        own_dir: None,
        system_dir: PathBuf::from("/nonexistent"),
    };
    load_photos(info, &search_path)
}

/// By hand: of 512 by 384 pixels the central view is the square of 336 = 224 384 / 256 around the
/// middle, so red goes from (512 - 336) / 2 / 512 to (512 + 336) / 2 / 512 of its range.
#[test]
fn the_middle_is_seen_for_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wide.png");
    save(&gradient(512, 384), &path);
    let image = seen(&path, View::Central);
    let near = |got: u8, part: f64| assert!((f64::from(got) - 255.0 * part).abs() < 2.0, "{got}");
    let [first, last] = [image.get_pixel(0, 0), image.get_pixel(223, 223)];
    near(first[0], 88.0 / 512.0);
    near(first[1], 24.0 / 384.0);
    near(last[0], 424.0 / 512.0);
    near(last[1], 360.0 / 384.0);
    assert_eq!(first[2], 60);
}

#[test]
fn random_views_lie_within_the_photograph_at_every_size() {
    for [width, height] in [[500, 375], [375, 500], [224, 224], [1, 1], [3000, 20]] {
        let mut sides: Vec<f64> = vec![];
        for seed in 0..2000_u32 {
            let bits = |i: u32| (seed + 1).wrapping_mul(0x9e37_79b9).wrapping_mul(2 * i + 1);
            let random = [bits(0), bits(1), bits(2), bits(3)];
            let square = View::Random(random).square(width, height);
            assert!(square.left >= 0.0 && square.top >= 0.0, "{square:?}");
            assert!(square.left + square.side <= f64::from(width), "{square:?}");
            assert!(square.top + square.side <= f64::from(height), "{square:?}");
            sides.push(square.side);
        }
        let short = f64::from(width.min(height));
        let [least, most] = [224.0 / 512.0, 224.0 / 256.0].map(|part| part * short);
        let min = sides.iter().copied().fold(f64::INFINITY, f64::min);
        let max = sides.iter().copied().fold(0.0, f64::max);
        assert!(min >= least && min < 1.01 * least, "{min}, at least {least}");
        assert!(max <= most && max > 0.99 * most, "{max}, at most {most}");
    }
}

#[test]
fn a_mirrored_view_is_the_other_one_mirrored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.png");
    save(&gradient(300, 260), &path);
    let straight = seen(&path, View::Random([7, 8 << 28, 9 << 28, 0]));
    let mirrored = seen(&path, View::Random([7, 8 << 28, 9 << 28, 1]));
    assert_eq!(image::imageops::flip_horizontal(&straight), mirrored);
    assert_ne!(straight, mirrored);
}

#[test]
fn grey_and_cmyk_photographs_are_seen_in_colours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grey.jpg");
    GrayImage::from_pixel(300, 300, image::Luma([77])).save(&path).unwrap();
    assert!(seen(&path, View::Central).pixels().all(|pixel| pixel.0 == [77; 3]));
    // Written by Pillow 12 in quality 95: left red (0, 255, 255, 0), right cyan (255, 0, 0, 0).
    let cmyk = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cmyk.jpg");
    let image = seen(&cmyk, View::Central);
    let [left, right] = [image.get_pixel(2, 100).0, image.get_pixel(221, 100).0];
    let is_near = |got: [u8; 3], expected: [u8; 3]| {
        got.iter().zip(expected).all(|(&got, expected)| got.abs_diff(expected) < 16)
    };
    assert!(is_near(left, [255, 0, 0]) && is_near(right, [0, 255, 255]), "{left:?} {right:?}");
}

#[test]
fn a_damaged_file_is_grey_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.jpg");
    for content in [&b"no photograph"[..], b"", &[0xff, 0xd8, 0xff, 0xe0, 0, 16]] {
        fs::write(&path, content).unwrap();
        assert!(seen(&path, View::Central).pixels().all(|pixel| pixel.0 == [124, 117, 104]));
        let checked = photos_of(&path).check(0);
        assert!(checked.path.ends_with("damaged.jpg") && checked.problem.is_some(), "{checked:?}");
    }
    fs::remove_file(&path).unwrap();
    assert!(photos_of(&path).check(0).problem.is_some());
}

/// What there is of it is seen all the same.
#[test]
fn a_file_that_is_cut_off_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["photo.jpg", "photo.png"] {
        let path = folder.path().join(name);
        save(&gradient(300, 260), &path);
        assert_eq!(photos_of(&path).check(0).problem, None);
        let mut content = fs::read(&path).unwrap();
        content.extend(b"bytes of nobody's");
        fs::write(&path, &content).unwrap();
        assert_eq!(photos_of(&path).check(0).problem, None);
        fs::write(&path, &content[..content.len() / 2]).unwrap();
        let problem = photos_of(&path).check(0).problem.unwrap();
        assert!(problem.starts_with("cannot be decoded: "), "{problem}");
    }
}

/// A thumbnail has an end of its own, before the scans of the photograph.
#[test]
fn an_end_is_looked_for_behind_the_last_scan() {
    let [start, scan, end] = [[0xff, 0xd8], [0xff, 0xda], [0xff, 0xd9]];
    let is_cut_off = |parts: &[[u8; 2]]| decode::is_cut_off(&[&[start], parts].concat().concat());
    assert!(!is_cut_off(&[scan, scan, end]) && !is_cut_off(&[start, scan, end, scan, end]));
    assert!(is_cut_off(&[scan]) && is_cut_off(&[start, scan, end, scan]));
}

#[test]
fn a_file_that_is_gone_is_a_failure_and_a_damaged_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photograph.jpg");
    let mut bytes = vec![0; SIDE * SIDE * 3];
    fs::write(&path, b"no photograph").unwrap();
    let photos = photos_of(&path);
    photos.read(0, View::Central, &mut bytes);
    assert_eq!(photos.failure(), None);
    fs::remove_file(&path).unwrap();
    photos.read(0, View::Central, &mut bytes);
    let failure = photos.failure().unwrap();
    let expected = format!("cannot read '{}': ", path.display());
    assert!(failure.starts_with(&expected) && failure.ends_with("run the same command again"));
}

/// A header that says 60,000 by 60,000 pixels.
#[test]
fn a_file_that_says_it_is_huge_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.jpg");
    save(&gradient(64, 64), &path);
    let mut content = fs::read(&path).unwrap();
    let frame =
        content.windows(2).position(|bytes| bytes[0] == 0xff && (0xc0..=0xc2).contains(&bytes[1]));
    let frame = frame.unwrap();
    content[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    fs::write(&path, content).unwrap();
    assert!(photos_of(&path).check(0).problem.is_some());
}

fn classes_folder(folder: &Path, splits: &[(&str, &[(&str, usize)])]) {
    for (split, classes) in splits {
        for (class, n) in *classes {
            for index in 0..*n {
                save(
                    &gradient(20, 20),
                    &folder.join(split).join(class).join(format!("{index:03}.jpg")),
                );
            }
        }
    }
}

#[test]
fn folders_are_classes_in_order_of_name() {
    let folder = tempfile::tempdir().unwrap();
    classes_folder(
        folder.path(),
        &[("train", &[("dog", 2), ("cat", 3), ("ape", 1)]), ("val", &[("dog", 1), ("ape", 2)])],
    );
    fs::write(folder.path().join("train/dog/notes.txt"), "no photograph").unwrap();
    let dataset = load("image_folder", folder.path()).unwrap();
    assert_eq!((dataset.n_classes, dataset.test.is_none()), (3, true));
    let labels = |photos: &Photos| match photos.labels() {
        Labels::One(labels) => labels.to_vec(),
        Labels::Many(_) => panic!("one class each"),
    };
    assert_eq!(labels(&dataset.train), [0, 1, 1, 1, 2, 2]);
    assert_eq!(labels(&dataset.validation), [0, 0, 2]);
    assert_eq!(labels(&dataset.train.spread(3)), [0, 1, 2], "photographs of every class");
    assert_eq!(labels(&dataset.train.spread(9)), labels(&dataset.train));
    assert!((0..6).all(|index| dataset.train.check(index).problem.is_none()));
    classes_folder(folder.path(), &[("val", &[("emu", 1)])]);
    let message = load("image_folder", folder.path()).unwrap_err().to_string();
    assert!(message.contains("emu: is no class of the training folder, which has 3"), "{message}");
    save(&gradient(20, 20), &folder.path().join("train/loose.jpg"));
    let message = load("image_folder", folder.path()).unwrap_err().to_string();
    assert!(message.contains("train: has 1 photographs that are in no folder"), "{message}");
}

#[test]
fn a_class_that_has_nothing_to_train_on_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    classes_folder(folder.path(), &[("train", &[("ape", 1), ("cat", 1)]), ("val", &[("cat", 1)])]);
    let dog = folder.path().join("train/dog");
    fs::create_dir(&dog).unwrap();
    let message = load("image_folder", folder.path()).unwrap_err().to_string();
    assert!(message.contains("dog: is a class without a photograph: of the 0 files"), "{message}");
    // What other programs write, and photographs that are one folder too deep, are none.
    fs::write(dog.join("1.webp"), "a photograph of another kind").unwrap();
    fs::write(dog.join(".hidden"), "").unwrap();
    save(&gradient(20, 20), &dog.join("puppies/1.jpg"));
    let message = load("image_folder", folder.path()).unwrap_err().to_string();
    assert!(message.contains("of the 2 files and folders in it no name ends in .jpg"), "{message}");
    save(&gradient(20, 20), &dog.join("2.png"));
    let dataset = load("image_folder", folder.path()).unwrap();
    let sizes = (dataset.n_classes, dataset.train.len(), dataset.validation.len());
    assert_eq!(sizes, (3, 3, 1), "a class may have nothing to be measured on");
}

#[test]
fn what_is_no_imagenet_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let message = load("imagenet", folder.path()).unwrap_err().to_string();
    assert!(message.contains("has no 'train', no 'val'"), "{message}");
    assert!(message.contains("https://image-net.org"), "{message}");
    classes_folder(folder.path(), &[("train", &[("a", 1)])]);
    let message = load("image_folder", folder.path()).unwrap_err().to_string();
    assert!(message.contains("lacks 'val'"), "{message}");
    classes_folder(folder.path(), &[("val", &[("a", 1)])]);
    for name in ["imagenet", "imagenet_subsets/imagenet_half_classes"] {
        let message = load(name, folder.path()).unwrap_err().to_string();
        assert!(message.contains("has 1 classes with 1 training and 1 validation"), "{message}");
        assert!(message.contains("'image_folder'"), "{message}");
    }
}

#[test]
fn open_images_has_sets_of_frequent_classes() {
    let folder = tempfile::tempdir().unwrap();
    let header = "ImageID,Source,LabelName,Confidence\n";
    let mut train = header.to_owned();
    // 100 photographs show /m/b, all but one /m/a too; /m/rare is on 99 of them.
    for index in 0..100 {
        train += &format!("{index:016x},verification,/m/b,1\n");
        let a = if index == 0 { 0 } else { 1 };
        train += &format!("{index:016x},verification,/m/rare,{a}\n");
        train += &format!("{index:016x},verification,/m/a,1\n");
        if index < 5 {
            let path = folder.path().join(format!("train/{index:016x}.jpg"));
            save(&gradient(20, 20), &path);
        }
    }
    let few =
        format!("{header}{:016x},verification,/m/a,1\n{:016x},verification,/m/rare,1\n", 7, 8);
    for (split, table) in [("train", &train), ("validation", &few), ("test", &few)] {
        let path = folder.path().join(format!("{split}-annotations-human-imagelabels.csv"));
        fs::write(path, table).unwrap();
        for index in [7, 8] {
            let path = folder.path().join(format!("{split}/{index:016x}.jpg"));
            save(&gradient(20, 20), &path);
        }
    }
    let dataset = load("open_images_v4", folder.path()).unwrap();
    assert_eq!(dataset.n_classes, 2);
    let sets = |photos: &Photos| match photos.labels() {
        Labels::Many(sets) => {
            let tokens = sets.rows().as_chunks().0.iter().map(|&bytes| u16::from_le_bytes(bytes));
            (sets.length(), tokens.collect::<Vec<_>>())
        }
        Labels::One(_) => panic!("sets"),
    };
    // Seven of the hundred are there; a photograph of a rare class alone is not used.
    assert_eq!(dataset.train.len(), 7);
    assert_eq!(sets(&dataset.train.spread(2)), (2, vec![0, 1, 0, 1]));
    assert_eq!((dataset.validation.len(), sets(&dataset.validation)), (1, (1, vec![0])));
    let table = folder.path().join("train-annotations-human-imagelabels.csv");
    fs::write(&table, format!("{header}0,verification,/m/a,yes\n")).unwrap();
    let message = load("open_images_v4", folder.path()).unwrap_err().to_string();
    assert!(message.contains("imagelabels.csv:2: the confidence is 'yes'"), "{message}");
    fs::write(&table, few).unwrap();
    let message = load("open_images_v4", folder.path()).unwrap_err().to_string();
    assert!(message.contains("no class has 100 photographs"), "{message}");
}

/// ImageNet made small: parts are of the sizes that they should have, a photograph keeps its class, and
/// what is held out for the test is never trained on.
#[test]
fn parts_of_imagenet_lie_within_the_whole() {
    use super::load::{Published, imagenet};
    let folder = tempfile::tempdir().unwrap();
    for (split, n) in [("train", 5), ("val", 2)] {
        classes_folder(folder.path(), &[(split, &[("a", n), ("b", n), ("c", n), ("d", n)])]);
    }
    let published = Published { sizes: [4, 20, 8], n_test: 3 };
    let load = |part| imagenet("imagenet", folder.path(), part, published).unwrap();
    let [whole, half, classes] = [Part::Whole, Part::HalfImages, Part::HalfClasses].map(load);
    let names = |photos: &Photos| -> Vec<String> {
        let Labels::One(labels) = photos.labels() else { panic!("one class each") };
        assert_eq!(labels.len(), photos.len());
        (0..photos.len()).map(|place| photos.files.path(place).display().to_string()).collect()
    };
    let test = names(whole.test.as_ref().unwrap());
    assert_eq!([whole.train.len(), test.len(), whole.validation.len()], [17, 3, 8]);
    assert_eq!([half.train.len(), half.validation.len()], [8, 8]);
    assert_eq!(names(half.test.as_ref().unwrap()), test);
    assert!(names(&half.train).iter().all(|name| names(&whole.train).contains(name)));
    assert!(names(&whole.train).iter().all(|name| !test.contains(name)));
    assert_eq!((classes.n_classes, classes.validation.len()), (2, 4));
    let kept = names(&classes.train);
    let of_kept =
        |name: &&String| names(&classes.validation).iter().any(|kept| class(kept) == class(name));
    let expected: Vec<String> = names(&whole.train).iter().filter(of_kept).cloned().collect();
    assert_eq!(kept, expected);
    let Labels::One(labels) = classes.train.labels() else { panic!("one class each") };
    for (name, &label) in kept.iter().zip(&labels[..]) {
        let is_first = class(name) == class(&kept[0]);
        assert_eq!(label, if is_first { 0 } else { 1 }, "{name}");
    }
}

/// The folder that a file lies in.
fn class(name: &str) -> &str {
    name.rsplit('/').nth(1).unwrap()
}
