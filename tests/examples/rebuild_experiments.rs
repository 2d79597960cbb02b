//! Rebuilds every figure, table and number of the published experiments from their records.
//!
//! ```sh
//! cargo run --release -p critbatch-tests --example rebuild_experiments [NAME...]
//! ```

use critbatch_tests::experiments::{published, rebuild};

fn main() -> std::io::Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    for folder in published()? {
        let is_named = |name: &String| folder.ends_with(name);
        if names.is_empty() || names.iter().any(is_named) {
            rebuild(&folder)?;
        }
    }
    Ok(())
}
