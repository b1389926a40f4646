//! The state file: whatever is in it, there is no panic, and what is read is written as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sftpctl::state::folder::Folder;
use sftpctl::state::model::State;

fuzz_target!(|data: &[u8]| {
    let Ok(state) = serde_json::from_slice::<State>(data) else { return };
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    // The way through the file, in memory: /dev/shm is there wherever a fuzzer runs.
    let folder = std::path::Path::new("/dev/shm").join(format!("sftpctl-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("99.json"), data).unwrap();
    if let Ok(Some(state)) = Folder::new(&folder, "99").load("99", "111111111111") {
        assert_eq!((&*state.environment, &*state.account), ("99", "111111111111"));
    }
});
