//! `critbatch devices`: what can train here.

use critbatch_models::{Compute, DeviceChoice, DeviceInfo, devices};

use crate::args::Listing;
use crate::console;
use crate::exit::Exit;
use crate::ruled;

/// Lists them, the preferred one first.
///
/// # Errors
///
/// Where the preferred device does not open or stdout cannot be written.
pub(crate) fn execute(listing: Listing) -> anyhow::Result<Exit> {
    let devices = devices();
    if listing.json {
        console::print_json(&devices)?;
        return Ok(Exit::Done);
    }
    let mut table = ruled::table(["--device", "name", "kind", "interface", "driver"]);
    for device in &devices {
        table.add_row([device.choice, &device.name, device.kind, &device.backend, &device.driver]);
    }
    let table = ruled::text(table);
    let (compute, why) = Compute::choose(DeviceChoice::Auto)?;
    let matrices: Vec<String> = devices
        .iter()
        .filter(|device| device.choice == "wgpu")
        .map(|DeviceInfo { name, cooperative_matrices, .. }| match &cooperative_matrices[..] {
            [] => format!("cooperative matrices of {name}: none\n"),
            list => format!("cooperative matrices (not used) of {name}: {}\n", list.join(", ")),
        })
        .collect();
    let auto = format!("--device auto takes {}: {why}", compute.description());
    console::print(&format!("{table}\n{}{auto}", matrices.concat()))?;
    Ok(Exit::Done)
}
