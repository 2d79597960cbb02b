//! Writes an archive shaped like the authors', for tests and timings.
//!
//! ```sh
//! cargo run --release -p critbatch-tests --example generate_archive -- DIR [SCALE [SEED]]
//! ```
//!
//! The default scale, 0.01, has 1/100 of the authors' trials; 1 takes about 8 GB.

use std::io::Write;
use std::path::PathBuf;

const USAGE: &str = "usage: generate_archive DIR [SCALE [SEED]], with a scale above 0";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or(USAGE)?);
    let scale: f64 = arguments.next().as_deref().unwrap_or("0.01").parse()?;
    let seed = arguments.next().as_deref().unwrap_or("0").parse()?;
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(USAGE.into());
    }
    let generated = critbatch_tests::archive::generate(&directory, scale, seed)?;
    let (n_studies, n_trials) = (generated.n_studies, generated.n_trials);
    let n_rows = generated.n_rows;
    let line = format!("{n_studies} studies, {n_trials} trials, {n_rows} rows of measurements");
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
