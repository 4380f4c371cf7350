//! This process, as `/proc` tells; nothing where there is no such place.

use std::fs;

use mosaic_types::metric;

use super::page::Page;

/// Ticks a second in which the kernel tells times to programs: fixed at 100 on every Linux that Rust builds for
/// (proc(5), `sysconf(_SC_CLK_TCK)`).
const TICKS: f64 = 100.0;

/// Writes what can be read.
pub(super) fn write(page: &mut Page) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in brackets, and may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Counted from the third field, the state.
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    if let (Some(user), Some(system)) = (field(14), field(15)) {
        page.one(&metric::CPU, (user + system) / TICKS);
    }
    if let Some(threads) = field(20) {
        page.one(&metric::THREADS, threads);
    }
    if let (Some(ticks), Some(boot)) = (field(22), boot_time()) {
        page.one(&metric::START_TIME, boot + ticks / TICKS);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    for (metric, name) in [(&metric::MEMORY, "VmRSS:"), (&metric::VIRTUAL_MEMORY, "VmSize:")] {
        if let Some(kilobytes) = kilobytes(name) {
            page.one(metric, kilobytes * 1_024.0);
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The folder that is being read is itself an open file.
        page.one(&metric::OPEN_FDS, f64::from(u32::try_from(open.count()).unwrap_or(u32::MAX)) - 1.0);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let most = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    if let Some(most) = most.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()) {
        page.one(&metric::MAX_FDS, most);
    }
}

/// When the machine was started, in seconds since 1970.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime ")).and_then(|seconds| seconds.trim().parse().ok())
}
