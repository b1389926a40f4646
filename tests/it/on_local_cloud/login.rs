//! Customers log in to what `deploy` created: the real chain of the local cloud, with third-party clients.

mod accounts;
mod attributes;
mod broken;
mod clients;
mod doors;
mod execute_api;
mod flood;
mod host_keys;
mod limits;
mod odd_clients;
mod update;

use std::sync::{Arc, Mutex, PoisonError, Weak};

pub(super) use limits::front_memory;

use crate::site::Site;

/// One deployed environment, shared by all tests that break nothing; the last of them stops it.
fn shared() -> Arc<Site> {
    static SHARED: Mutex<Weak<Site>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let site = Arc::new(Site::deployed(""));
        *shared = Arc::downgrade(&site);
        site
    })
}

/// Bytes without a pattern, the same every time.
fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}
