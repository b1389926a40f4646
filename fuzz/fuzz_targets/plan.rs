//! A saved plan: whatever is in it, there is no panic, and what is read is written as it was and can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sftpctl::plan::model::Plan;

fuzz_target!(|data: &[u8]| {
    let Ok(plan) = serde_json::from_slice::<Plan>(data) else { return };
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    sftpctl::report::plan_view::render(&plan);
});
