//! `critbatch data` against a server in this process: what breaks off is continued, what is damaged is not
//! kept.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Debian's package, which scripts/test installs.
const PACKAGE: &str = "/usr/share/datasets/fashion-mnist";

const IMAGES: &str = "train-images-idx3-ubyte.gz";

/// The folder that LM1B's archive unpacks to.
const LM1B: &str = "1-billion-word-language-modeling-benchmark-r13output";

/// A server of files that notes each request as `name from byte`.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Server {
    /// Serves these files; of each named in `broken` only so many bytes come at the first request.
    fn start(files: HashMap<String, Vec<u8>>, broken: HashMap<String, usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = format!("http://{}", listener.local_addr().expect("it has an address"));
        let requests: Arc<Mutex<Vec<(String, usize)>>> = Arc::default();
        let noted = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (name, start) = request(&stream);
                let mut noted = noted.lock().expect("no other thread panicked");
                let is_first = !noted.iter().any(|(other, _)| *other == name);
                noted.push((name.clone(), start));
                drop(noted);
                let limit = broken.get(&name).filter(|_| is_first).copied();
                answer(stream, files.get(&name), start, limit);
            }
        });
        Self { address, requests }
    }

    fn requests_of(&self, name: &str) -> Vec<usize> {
        let requests = self.requests.lock().expect("no other thread panicked");
        requests.iter().filter(|(other, _)| other == name).map(|(_, start)| *start).collect()
    }
}

/// Name of the file asked for, and the byte from which on.
fn request(stream: &TcpStream) -> (String, usize) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let name = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let mut start = 0;
    for line in lines.take_while(|line| !line.is_empty()) {
        let line = line.to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().unwrap_or(0);
        }
    }
    (name, start)
}

fn answer(mut stream: TcpStream, content: Option<&Vec<u8>>, start: usize, limit: Option<usize>) {
    let Some(content) = content else {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        return;
    };
    let (status, rest) = match start {
        0 => ("200 OK", &content[..]),
        _ => ("206 Partial Content", &content[start..]),
    };
    let header =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", rest.len());
    let sent = &rest[..limit.unwrap_or(rest.len()).min(rest.len())];
    // The client may have gone.
    let _ = stream.write_all(header.as_bytes()).and_then(|()| stream.write_all(sent));
}

fn package() -> HashMap<String, Vec<u8>> {
    let names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"];
    let read = |name: &str| {
        let name = format!("{name}-ubyte.gz");
        let content = fs::read(Path::new(PACKAGE).join(&name));
        (name, content.expect("scripts/test installs the package dataset-fashion-mnist"))
    };
    names.map(read).into()
}

fn fetch(name: &str, server: &Server, folder: &Path) -> assert_cmd::assert::Assert {
    let mut command = critbatch_tests::critbatch();
    command.args(["data", "fetch", name, "--mirror", &server.address, "--data-dir"]).arg(folder);
    command.assert()
}

fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

#[test]
fn what_breaks_off_is_continued() {
    let server = Server::start(package(), [(IMAGES.to_owned(), 1_000_000)].into());
    let folder = tempfile::tempdir().unwrap();
    let broken = fetch("fashion_mnist", &server, folder.path()).code(1);
    let line = stderr(&broken);
    assert!(line.contains("the same command continues it"), "{line}");
    let part = folder.path().join("fashion_mnist").join(format!("{IMAGES}.part"));
    let n_bytes = fs::metadata(&part).unwrap().len();
    assert!(n_bytes > 0 && n_bytes <= 1_000_000, "{n_bytes}");
    let done = fetch("fashion_mnist", &server, folder.path()).code(0);
    let told = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
    assert!(told.contains("fashion_mnist: 4 files are sound"), "{told}");
    assert_eq!(server.requests_of(IMAGES), [0, usize::try_from(n_bytes).unwrap()]);
    assert!(!part.exists());
    // Another time nothing is fetched, and the data set is found where it went.
    fetch("fashion_mnist", &server, folder.path()).code(0);
    assert_eq!(server.requests_of(IMAGES).len(), 2);
    let found = folder.path().join("fashion_mnist");
    for data_dir in [folder.path(), &found] {
        let mut command = critbatch_tests::critbatch();
        command.args(["data", "check", "fashion_mnist", "--data-dir"]).arg(data_dir);
        let told = command.assert().code(0).get_output().stdout.clone();
        assert!(String::from_utf8_lossy(&told).contains(&found.display().to_string()));
    }
}

#[test]
fn what_is_damaged_is_not_kept() {
    let mut files = package();
    let labels = "t10k-labels-idx1-ubyte.gz".to_owned();
    files.insert(labels.clone(), files["train-labels-idx1-ubyte.gz"].clone());
    let server = Server::start(files, HashMap::new());
    let folder = tempfile::tempdir().unwrap();
    let line = stderr(&fetch("fashion_mnist", &server, folder.path()).code(1));
    assert!(
        line.contains("sha-256 of the content is") && line.contains("it was removed"),
        "{line}"
    );
    let kept = |name: &str| folder.path().join("fashion_mnist").join(name).exists();
    assert!(kept(IMAGES) && !kept(&labels) && !kept(&format!("{labels}.part")));
}

#[test]
fn a_file_that_the_server_has_not_is_said() {
    let server = Server::start(HashMap::new(), HashMap::new());
    let folder = tempfile::tempdir().unwrap();
    let line = stderr(&fetch("mnist", &server, folder.path()).code(1));
    assert!(line.contains("train-images-idx3-ubyte.gz: the server answers 404"), "{line}");
}

/// A gzip-compressed tar archive of files, by their names.
fn archive(files: &[(String, Vec<u8>)], compression: Compression) -> Vec<u8> {
    let mut archive = tar::Builder::new(vec![]);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, &content[..]).expect("memory takes it");
    }
    let mut encoder = GzEncoder::new(vec![], compression);
    let archive = archive.into_inner().expect("memory takes it");
    encoder.write_all(&archive).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// The names of LM1B's files that are read, each with as many sentences as `n_sentences` says for
/// training, validation and test in all, spread evenly over them.
fn lm1b(n_sentences: [usize; 3]) -> Vec<(String, Vec<u8>)> {
    let folder = |split: &str| format!("{LM1B}/{split}-monolingual.tokenized.shuffled");
    let [train, validation, test] = n_sentences;
    let shard = |part: usize| {
        let n = train * part / 99 - train * (part - 1) / 99;
        (format!("{}/news.en-{part:05}-of-00100", folder("training")), n)
    };
    let held_out =
        |part: usize, n| (format!("{}/news.en.heldout-{part:05}-of-00050", folder("heldout")), n);
    let files = (1..100).map(shard).chain([held_out(0, validation), held_out(1, test)]);
    files.map(|(name, n)| (name, b"word\n".repeat(n))).collect()
}

/// An archive that unpacks as the published one does, with other content.
#[test]
fn an_archive_is_unpacked_and_looked_at() {
    let names =
        (1..=5).map(|batch| format!("data_batch_{batch}.bin")).chain(["test_batch.bin".to_owned()]);
    let cats = names.map(|name| (format!("cifar-10-batches-bin/{name}"), b"cats".to_vec()));
    let archive = archive(&cats.collect::<Vec<_>>(), Compression::fast());
    let files = [("cifar-10-binary.tar.gz".to_owned(), archive)].into();
    let server = Server::start(files, HashMap::new());
    let folder = tempfile::tempdir().unwrap();
    let line = stderr(&fetch("cifar_10", &server, folder.path()).code(1));
    assert!(line.contains("6 of 6 files are not sound"), "{line}");
    let unpacked = folder.path().join("cifar-10-batches-bin/test_batch.bin");
    assert_eq!(fs::read(unpacked).unwrap(), b"cats");
    assert!(!folder.path().join("cifar-10-binary.tar.gz").exists());
}

/// LM1B has no published SHA-256, so that gzip's own check sum, at the archive's end, is all that tells a
/// changed byte of its text.
#[test]
fn a_damaged_archive_is_not_installed() {
    let sound = archive(&lm1b([99, 1, 1]), Compression::none());
    let mut changed = sound.clone();
    let place = changed.windows(5).position(|bytes| bytes == b"word\n").unwrap();
    changed[place] = b'l';
    let without_its_check_sum = sound[..sound.len() - 8].to_vec();
    let half = sound[..sound.len() / 2].to_vec();
    for damaged in [changed, without_its_check_sum, half] {
        let server = Server::start([(format!("{LM1B}.tar.gz"), damaged)].into(), HashMap::new());
        let folder = tempfile::tempdir().unwrap();
        let line = stderr(&fetch("lm1b", &server, folder.path()).code(1));
        assert!(line.contains(".tar.gz: cannot be unpacked and was removed"), "{line}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }
}

/// A part of LM1B is neither found as LM1B, nor are all its files with other text sound.
#[test]
fn a_part_of_a_corpus_is_not_taken_for_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |files: &[(String, Vec<u8>)]| {
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    };
    let data = |arguments: &[&str]| {
        let mut command = critbatch_tests::critbatch();
        command.arg("data").args(arguments).arg("--data-dir").arg(folder.path());
        command.assert()
    };
    let files = lm1b([99, 1, 1]);
    write(&[files[0].clone(), files[99].clone()]);
    let line = stderr(&data(&["check", "lm1b"]).code(1));
    assert!(line.contains("(lacks 99 of 101 files, the first of them training-mono"), "{line}");
    let listed = data(&["list", "--json"]).code(0).get_output().stdout.clone();
    let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
    let is_lm1b = |offer: &&serde_json::Value| offer["name"] == "lm1b";
    assert_eq!(listed.as_array().unwrap().iter().find(is_lm1b).unwrap()["is_present"], false);
    write(&files);
    let line = stderr(&data(&["check", "lm1b"]).code(1));
    let found = format!("{LM1B}: has 99 training, 1 validation and 1 test sentences");
    assert!(line.contains(&found), "{line}");
    assert!(line.contains("'lm1b' has 30301028, 6075 and 6206; fetch it again"), "{line}");
}

/// Files with as many lines as LM1B has, the first time one less.
#[test]
fn an_archive_is_fetched_until_it_is_whole_and_not_again() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("{LM1B}.tar.gz");
    let fetched = |n_test: usize| {
        let sentences = lm1b([30_301_028, 6_075, n_test]);
        let files = [(name.clone(), archive(&sentences, Compression::fast()))].into();
        let server = Server::start(files, HashMap::new());
        (fetch("lm1b", &server, folder.path()), server)
    };
    let (assert, _) = fetched(6_205);
    let line = stderr(&assert.code(1));
    assert!(line.contains("6075 validation and 6205 test sentences"), "{line}");
    let (assert, server) = fetched(6_206);
    let line = stderr(&assert.code(0));
    assert!(line.contains("fetched anew: ") && line.contains("6205 test sentences"), "{line}");
    let again = fetch("lm1b", &server, folder.path()).code(0);
    let told = String::from_utf8_lossy(&again.get_output().stdout).into_owned();
    assert!(told.contains("lm1b: 101 files are sound, in "), "{told}");
    assert_eq!(server.requests_of(&name), [0], "fetched once");
}

#[test]
fn data_that_no_program_may_fetch_is_explained() {
    let run = |name: &str| {
        let mut command = critbatch_tests::critbatch();
        command.args(["data", "fetch", name]);
        command.assert()
    };
    let line = stderr(&run("imagenet").code(1));
    assert!(
        line.contains("imagenet has to be obtained by hand: register at https://image-net.org"),
        "{line}"
    );
    run("mnist_5k").code(0);
    let line = stderr(&run("imagenet_22k").code(2));
    assert!(line.contains("unknown data set 'imagenet_22k'"), "{line}");
}

#[test]
fn every_data_set_is_listed() {
    let mut command = critbatch_tests::critbatch();
    command.args(["data", "list", "--json"]);
    let listed = command.assert().code(0).get_output().stdout.clone();
    let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), critbatch_data::catalogue().len());
    let of = |name: &str| {
        listed.as_array().unwrap().iter().find(|offer| offer["name"] == name).unwrap().clone()
    };
    assert_eq!(of("mnist_5k")["is_present"], true);
    assert_eq!(of("fashion_mnist")["location"], PACKAGE);
    let location = of("open_images_v4")["location"].as_str().unwrap().to_owned();
    assert!(location.contains("train-annotations-human-imagelabels.csv"), "{location}");
    let mut command = critbatch_tests::critbatch();
    let text = command.args(["data", "list"]).assert().code(0).get_output().stdout.clone();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("`critbatch data fetch lm1b` takes https://www.statmt.org/"), "{text}");
}
