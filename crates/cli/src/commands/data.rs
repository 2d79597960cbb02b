//! `critbatch data`: where data sets are, whether their files are sound, and how they come here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, anyhow, bail};
use critbatch_data::{
    CheckedFile, DATA_DIR_VARIABLE, DatasetInfo, Download, Location, RemoteFile, catalogue, check,
    find, locate, own_data_dir,
};
use critbatch_report::format;
use flate2::read::MultiGzDecoder;
use serde::Serialize;

use crate::args::{Data, DataCheck, DataFetch, DataList, DataPlace};
use crate::console;
use crate::exit::Exit;
use crate::fetch::fetch;

/// Does what is asked for.
///
/// # Errors
///
/// If a data set is unknown, its files are not found, not sound or cannot be fetched.
pub(crate) fn execute(data: &Data) -> anyhow::Result<Exit> {
    match data {
        Data::List(how) => list(how),
        Data::Check(DataCheck { name, data: DataPlace { data_dir } }) => {
            check_files(name, data_dir.as_deref())
        }
        Data::Fetch(how) => fetch_files(how),
    }
}

/// A data set as it is listed.
#[derive(Debug, Serialize)]
struct Offer {
    name: &'static str,
    description: &'static str,
    source: &'static str,
    is_present: bool,
    /// Where it is, or where it was looked for and what to do.
    location: String,
    /// Address that `critbatch data fetch` takes; `null` where it takes none.
    address: Option<String>,
}

fn list(DataList { data: DataPlace { data_dir }, listing }: &DataList) -> anyhow::Result<Exit> {
    let offer = |info| {
        let located = locate(info, data_dir.as_deref());
        Offer {
            name: info.name(),
            description: info.description(),
            source: info.source(),
            is_present: located.is_ok(),
            location: located.map_or_else(|error| error.to_string(), |found| found.to_string()),
            address: match Download::of(info) {
                Download::Files { base, .. } => Some(base.to_owned()),
                Download::Archive { base, file } => Some(format!("{base}{file}")),
                Download::Nothing | Download::ByHand(_) => None,
            },
        }
    };
    let offers: Vec<Offer> = catalogue().iter().map(offer).collect();
    if listing.json {
        console::print_json(&offers)?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for Offer { name, description, source, is_present, location, address } in offers {
        let state = if is_present { "present: " } else { "" };
        text += &format!("{name}: {description} ({source})\n  {state}{location}\n");
        if let (Some(address), false) = (address, is_present) {
            text += &format!("  `critbatch data fetch {name}` takes {address}\n");
        }
    }
    console::print(text.trim_end())?;
    Ok(Exit::Done)
}

fn check_files(name: &str, data_dir: Option<&Path>) -> anyhow::Result<Exit> {
    let problems: Mutex<Vec<String>> = Mutex::default();
    let on_checked = |CheckedFile { path, problem }: &CheckedFile| {
        if let (Some(problem), Ok(mut problems)) = (problem, problems.lock()) {
            let line = format!("{}: {problem}", path.display());
            console::line(&line);
            problems.push(line);
        }
    };
    let n_files = check(name, data_dir, &on_checked)?;
    let n_problems = problems.lock().map_or(0, |problems| problems.len());
    if n_problems > 0 {
        bail!("{name}: {n_problems} of {n_files} files are not sound; they are named above");
    }
    let files = match n_files {
        1 => "1 file is".to_owned(),
        n => format!("{} files are", format::count(n as u64)),
    };
    console::print(&match locate(find(name)?, data_dir)? {
        Location::Embedded => format!("{name} is part of the program: nothing to check"),
        Location::Folder(folder) => format!("{name}: {files} sound, in {}", folder.display()),
    })?;
    Ok(Exit::Done)
}

fn fetch_files(DataFetch { name, data_dir, mirror }: &DataFetch) -> anyhow::Result<Exit> {
    let info = find(name)?;
    let from = |base: &str| match mirror {
        Some(mirror) => format!("{}/", mirror.trim_end_matches('/')),
        None => base.to_owned(),
    };
    let target = || target(data_dir.as_deref());
    // Whatever comes, it is looked at as it will be found.
    let check_in = |folder: PathBuf| check_files(name, Some(&folder));
    let folder = match Download::of(info) {
        Download::Nothing => {
            console::print(&format!("{name} is part of the program: nothing to fetch"))?;
            return Ok(Exit::Done);
        }
        Download::ByHand(how) => bail!("{name} has to be obtained by hand: {how}"),
        Download::Files { folder, base, files } => {
            let folder = target()?.join(folder);
            files.iter().try_for_each(|file| fetch_file(&from(base), &folder, file))?;
            folder
        }
        Download::Archive { base, file } => {
            let folder = target()?;
            if is_in(info, &folder) {
                match check_in(folder.clone()) {
                    Err(problem) => console::line(&format!("fetched anew: {problem}")),
                    sound => return sound,
                }
            }
            fetch_archive(&from(base), &folder, file)?;
            folder
        }
    };
    check_in(folder)
}

/// Whether a data set is found in a folder, and not in another place that is looked in.
fn is_in(info: &DatasetInfo, folder: &Path) -> bool {
    match locate(info, Some(folder)) {
        Ok(Location::Folder(found)) => found.starts_with(folder),
        Ok(Location::Embedded) | Err(_) => false,
    }
}

/// Where fetched data go: where they will be looked for.
fn target(data_dir: Option<&Path>) -> anyhow::Result<PathBuf> {
    let variable = std::env::var_os(DATA_DIR_VARIABLE).filter(|value| !value.is_empty());
    let target = data_dir.map(Path::to_owned).or(variable.map(PathBuf::from)).or_else(own_data_dir);
    target.ok_or_else(|| anyhow!("there is no home directory; name a folder by --data-dir"))
}

fn fetch_file(base: &str, folder: &Path, file: &RemoteFile) -> anyhow::Result<()> {
    let path = folder.join(&file.name);
    if path.exists() && file.check(&path).is_ok() {
        return Ok(());
    }
    fetch(&format!("{base}{}", file.name), &path, |part| file.check(part))
}

/// Unpacks an archive, which is not kept: no file of it can lie outside the folder.
fn fetch_archive(base: &str, folder: &Path, name: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    if !path.exists() {
        fetch(&format!("{base}{name}"), &path, |_| Ok(()))?;
    }
    let archive =
        fs::File::open(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
    // Aside at first: a fetch that is killed leaves no half of a data set where one is looked for.
    let aside = folder.join(format!("{name}.unpacked"));
    let removed = |path: &Path| format!("{}: cannot be removed", path.display());
    let remove_aside = || match aside.exists() {
        true => fs::remove_dir_all(&aside).with_context(|| removed(&aside)),
        false => Ok(()),
    };
    remove_aside()?;
    let unpacked = unpack(archive, &aside);
    fs::remove_file(&path).with_context(|| removed(&path))?;
    if unpacked.is_err() {
        remove_aside()?;
    }
    unpacked.with_context(|| {
        format!("{}: cannot be unpacked and was removed; fetch it again", path.display())
    })?;
    move_all(&aside, folder).with_context(|| format!("{}: cannot be moved", aside.display()))
}

/// Unpacks an archive and reads on to its end: behind the last file lies gzip's check sum, which is
/// compared only when it is reached.
fn unpack(archive: fs::File, folder: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(MultiGzDecoder::new(archive));
    archive.unpack(folder)?;
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(|_| ())
}

/// Moves what a folder has into another one, in place of what is there by the same names, and removes it.
fn move_all(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if target.is_dir() {
            fs::remove_dir_all(&target)?;
        }
        fs::rename(entry.path(), target)?;
    }
    fs::remove_dir(from)
}
