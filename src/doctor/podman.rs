//! What podman says of itself, and whether podfarm can work with it.

use std::fs;

use serde_json::Value;

use super::{Finding, Verdict};
use crate::lifecycle::Session;
use crate::podman::subids;

/// One finding a fact.
pub(super) fn findings(session: &Session<'_>, info: &Value) -> Vec<Finding> {
    let text = |pointer: &str| info.pointer(pointer).and_then(Value::as_str).unwrap_or("unknown").to_owned();
    let mut findings = Vec::new();
    let version = text("/version/Version");
    let usable = session.podman.check();
    let mend = usable.as_ref().err().map(|error| crate::failure::hints(error).join("; ")).unwrap_or_default();
    let fact = usable.as_ref().err().map_or_else(|| version.clone(), |error| format!("{version}: {error}"));
    findings.push(Finding::good_if(usable.is_ok(), Verdict::Bad, "podman", fact).mend(mend));
    findings.push(ids(info));
    let backend = text("/host/networkBackend");
    findings
        .push(Finding::good_if(backend == "netavark", Verdict::Bad, "network", backend).mend(
            "sudo apt-get install netavark iptables nftables; then, if podman holds nothing you need: podman system reset",
        ));
    let driver = text("/store/graphDriverName");
    findings.push(
        Finding::good_if(driver != "vfs", Verdict::Note, "storage", driver)
            .mend("vfs copies whole images; if podman holds nothing you need: podman system reset, then scripts/setup"),
    );
    let controllers = info.pointer("/host/cgroupControllers").and_then(Value::as_array).map_or(0, Vec::len);
    let fact = if controllers == 0 {
        "no cgroup controllers; podfarm sets no limits".to_owned()
    } else {
        format!("{controllers} cgroup controllers")
    };
    findings.push(Finding::new("limits", Verdict::Good, fact));
    findings.push(fuse());
    findings
}

fn fuse() -> Finding {
    let there = fs::File::open("/dev/fuse").is_ok();
    Finding::good_if(there, Verdict::Note, "fuse", if there { "/dev/fuse can be opened" } else { "/dev/fuse cannot be opened" })
        .mend("only needed where the kernel has no overlay for users: sudo modprobe fuse")
}

/// Those that the user may give to the users of a container.
fn ids(info: &Value) -> Finding {
    let count = |map: &str| {
        let ranges = info.pointer(&format!("/host/idMappings/{map}")).and_then(Value::as_array);
        // No map at all is root's podman, which has all ids.
        ranges.map_or(u64::from(u32::MAX), |ranges| ranges.iter().filter_map(|range| range.get("size")?.as_u64()).sum())
    };
    let (users, groups) = (count("uidmap"), count("gidmap"));
    Finding::good_if(
        users.min(groups) >= subids::NEEDED,
        Verdict::Bad,
        "ids",
        format!("{users} user and {groups} group ids in containers"),
    )
    .mend(subids::give(&crate::podman::user()))
}
