//! Reads everything in a home, and what would happen to it.

use std::collections::HashSet;
use std::io;

use super::entry::{Entry, Kind};
use super::plan::{Options, Planned, plan};
use super::quota;
use super::source::Source;
use super::totals::Totals;
use super::watch::{Progress, Watch};

/// Adds the entries of a home to the totals, and calls `each` with every one. Only the names of one folder are in
/// memory, and a number for each file with several names. A request to stop ends it early.
///
/// # Errors
/// The home cannot be read, or `each` fails.
pub fn inventory(
    home: &Source,
    options: &Options,
    totals: &mut Totals,
    watch: &dyn Watch,
    each: &mut dyn FnMut(&Entry, &Planned) -> io::Result<()>,
) -> io::Result<()> {
    let opened = home.opened();
    let mut linked = HashSet::new();
    totals.homes += 1;
    totals.is_partly_open |= opened.is_partial;
    match home {
        Source::Here(home) => quotas(home.facts().uid, totals),
        Source::There(_) => totals.is_remote = true,
    }
    home.walk(&opened, &mut |entry| {
        let facts = &entry.facts;
        let is_again = entry.kind() == Kind::File && facts.names > 1 && !linked.insert((facts.device, facts.inode));
        let planned = plan(&entry, options);
        totals.add(&entry, &planned, is_again);
        if totals.entries.is_multiple_of(1000) {
            watch.progress(Progress::Reading { entries: totals.entries });
            if watch.is_stopping() {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        each(&entry, &planned)
    })
}

/// Adds the quotas of a home's owner.
fn quotas(owner: u32, totals: &mut Totals) {
    if totals.quotas_are_unknown || totals.quotas.contains_key(&owner) {
        return;
    }
    match quota::of(owner) {
        Some(quotas) if quotas.is_empty() => {}
        Some(quotas) => drop(totals.quotas.insert(owner, quotas)),
        None => totals.quotas_are_unknown = true,
    }
}
