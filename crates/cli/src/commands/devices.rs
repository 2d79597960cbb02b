//! `critbatch devices`: what can train here.

use comfy_table::Table;
use critbatch_models::{Compute, DeviceChoice, DeviceInfo, devices};
use serde::Serialize;

use crate::args::Listing;
use crate::console;
use crate::exit::Exit;
use crate::summary::RULED;

#[derive(Debug, Serialize)]
struct DeviceOffer {
    /// Value of `--device` that takes it.
    choice: &'static str,
    name: String,
    backend: String,
    kind: &'static str,
    driver: String,
}

impl From<DeviceInfo> for DeviceOffer {
    fn from(info: DeviceInfo) -> DeviceOffer {
        let DeviceInfo { choice, name, backend, kind, driver, .. } = info;
        DeviceOffer { choice, name, backend, kind, driver }
    }
}

/// Lists them, the preferred one first.
///
/// # Errors
///
/// Where the preferred device does not open or stdout cannot be written.
pub(crate) fn execute(listing: Listing) -> anyhow::Result<Exit> {
    let offers: Vec<DeviceOffer> = devices().into_iter().map(DeviceOffer::from).collect();
    if listing.json {
        console::print_json(&offers)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new();
    table.load_style(RULED).set_header(["--device", "name", "kind", "interface", "driver"]);
    for offer in &offers {
        table.add_row([offer.choice, &offer.name, offer.kind, &offer.backend, &offer.driver]);
    }
    let (compute, why) = Compute::choose(DeviceChoice::Auto)?;
    console::print(&format!("{table}\n--device auto takes {}: {why}", compute.description()))?;
    Ok(Exit::Done)
}
