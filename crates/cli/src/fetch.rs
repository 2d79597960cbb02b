//! Files from a server: continued where an earlier try stopped, and never half there under their name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};

/// Time to wait for a server's next bytes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Fetches a file to `path`. Its beginning lies beside it, as `.part`, until all of it is there and
/// `check` finds it sound; one that is not sound is removed.
///
/// # Errors
///
/// If the server does not answer or breaks off (then the beginning stays, to be continued), a file cannot
/// be written, or the content is not sound.
pub(crate) fn fetch(
    url: &str,
    path: &Path,
    check: impl Fn(&Path) -> Result<(), String>,
) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let part = part_of(path);
    receive(url, &part)?;
    if let Err(problem) = check(&part) {
        let removed = fs::remove_file(&part);
        removed.with_context(|| format!("{}: cannot be removed", part.display()))?;
        return Err(anyhow!("{url}: {problem}; it was removed"));
    }
    fs::rename(&part, path).with_context(|| format!("{}: cannot be written", path.display()))
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// Takes what is missing of a file.
fn receive(url: &str, part: &Path) -> anyhow::Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .build()
        .into();
    let have = fs::metadata(part).map_or(0, |metadata| metadata.len());
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let mut response = request.call().with_context(|| format!("{url}: no answer"))?;
    let status = response.status().as_u16();
    let start = match status {
        206 => have,
        200 => 0,
        // The range is empty: all of it is here already.
        416 if have > 0 => return Ok(()),
        _ => return Err(anyhow!("{url}: the server answers {status}, expected 200")),
    };
    let expected = response.body().content_length().map(|len| len + start);
    let written = || format!("{}: cannot be written", part.display());
    let mut options = OpenOptions::new();
    let mut file = match start {
        0 => options.write(true).create(true).truncate(true).open(part),
        _ => options.append(true).open(part),
    }
    .with_context(written)?;
    let progress = progress(url, start, expected);
    let mut reader = response.body_mut().as_reader();
    let n_received = copy(&mut reader, &mut file, &progress)
        .with_context(|| format!("{url}: broken off; the same command continues it"))?;
    file.sync_all().with_context(written)?;
    progress.finish_and_clear();
    match expected {
        Some(expected) if expected != start + n_received => Err(anyhow!(
            "{url}: broken off after {} of {expected} bytes; the same command continues it",
            start + n_received
        )),
        _ => Ok(()),
    }
}

fn copy(reader: &mut impl Read, file: &mut File, progress: &ProgressBar) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 16];
    let mut n_received = 0;
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(n_received),
            n => {
                file.write_all(&buffer[..n])?;
                n_received += n as u64;
                progress.inc(n as u64);
            }
        }
    }
}

fn progress(url: &str, start: u64, expected: Option<u64>) -> ProgressBar {
    let bar = expected.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let style = "{msg} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.set_message(url.rsplit('/').next().unwrap_or(url).to_owned());
    bar.set_position(start);
    bar
}
