//! The environment file: whatever is written, there is no panic, every fault has a place in the file and can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    match sftpctl::spec::load(source, "x.yaml") {
        Ok(environment) => assert!(environment.regions.contains_key(&environment.home_region)),
        Err(faults) => {
            assert!(!faults.list().is_empty());
            let lines = source.lines().count() + 1;
            for fault in faults.list() {
                assert!(fault.line >= 1 && fault.line <= lines, "line {} of {lines}: {}", fault.line, fault.message);
            }
            faults.render(false);
            faults.render(true);
        }
    }
});
