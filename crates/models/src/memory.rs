//! Memory of the machine and of this process, as the operating system tells.

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// Where the operating system does not tell: what any machine has that trains networks.
const ASSUMED_BYTES: u64 = 2 << 30;

/// Share of the available memory that lanes may take; the rest is for files that are read again, the
/// store, the report, and whoever else uses the machine.
const SHARE: f64 = 0.75;

/// Bytes that lanes may take: three quarters of what is available without swapping, on Linux no more
/// than the control group allows; of 2 GiB where the operating system tells nothing.
pub(crate) fn budget_bytes() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    // sysinfo wants to know the machine's memory before it looks at the group's.
    let group = (system.total_memory() > 0).then(|| system.cgroup_limits()).flatten();
    let in_group = group.map(|group| group.total_memory.saturating_sub(group.rss));
    share_of(system.available_memory(), in_group)
}

fn share_of(available: u64, in_group: Option<u64>) -> u64 {
    let available = if available == 0 { ASSUMED_BYTES } else { available };
    let available = available.min(in_group.unwrap_or(u64::MAX));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "about so much")]
    #[expect(clippy::cast_precision_loss, reason = "about so much")]
    let bytes = (available as f64 * SHARE) as u64;
    bytes
}

/// Bytes of this process that are in memory now; 0 where the operating system does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let Ok(id) = sysinfo::get_current_pid() else { return 0 };
    let mut system = System::new();
    let memory = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[id]), true, memory);
    system.process(id).map_or(0, sysinfo::Process::memory)
}

/// The most bytes of this process that were ever in memory; `None` where the operating system does
/// not tell, which is all but Linux.
pub fn peak_memory_bytes() -> Option<u64> {
    peak_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The high-water mark in `/proc/PID/status`, which says `kB` and means KiB.
fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_memory_and_this_process_takes_some() {
        assert!(budget_bytes() > 1 << 20);
        let block = vec![1_u8; 64 << 20];
        let resident = resident_bytes();
        assert!(resident > 64 << 20, "{resident} with {} bytes", block.len());
        if cfg!(target_os = "linux") {
            assert!(peak_memory_bytes().unwrap() >= block.len() as u64);
        }
    }

    #[test]
    fn a_group_has_at_most_what_it_is_allowed() {
        assert_eq!(share_of(1000, None), 750);
        assert_eq!(share_of(1000, Some(400)), 300);
        assert_eq!(share_of(1000, Some(4000)), 750);
        assert_eq!(share_of(0, None), 3 << 29, "of what is assumed");
    }

    #[test]
    fn the_high_water_mark_is_read() {
        assert_eq!(
            peak_of("VmPeak:\t 9 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 7 kB\n"),
            Some(1234 << 10)
        );
        assert_eq!(peak_of("VmPeak:\t 9 kB\n"), None);
        assert_eq!(peak_of("VmHWM:\t much\n"), None);
    }
}
