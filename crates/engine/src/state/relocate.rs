//! Moves an environment's records to another place, so that at no moment both places are in use.
//!
//! Three writes: a copy that refers to the old place; a reference at the old place to the new one; the copy without its
//! reference. An interruption leaves the old place in use, or both referring to each other, and rerunning the move
//! finishes it.

use super::blob::{Expect, Version};
use super::error::StateError;
use super::lease::Terms;
use super::lease_keeper::Heartbeat;
use super::model::State;
use super::same_place::is_same_place;
use super::store::{Store, run_id};
use sftpctl_core::spec::state_place::StatePlace;

/// Records, and their place as messages show it.
pub type At<'a> = (&'a Store, &'a StatePlace);

/// Moves the records.
///
/// # Errors
/// A lock is held; the new place has other records of this environment; a place cannot be read or written.
pub async fn relocate(from: At<'_>, to: At<'_>, terms: Terms, tell: &(dyn Fn(&str) + Sync)) -> Result<(), StateError> {
    to.0.blobs.check().await?;
    let here = hold(from.0, terms, tell).await?;
    let there = hold(to.0, terms, tell).await;
    let result = match &there {
        Ok(_) => copy(from, to).await,
        Err(_) => Ok(()),
    };
    let released = match there {
        Ok(there) => there.release().await,
        Err(error) => Err(error),
    };
    let given_back = here.release().await;
    result.and(released).and(given_back)
}

async fn hold(store: &Store, terms: Terms, tell: &(dyn Fn(&str) + Sync)) -> Result<Heartbeat, StateError> {
    store.hold((&run_id(), "state move"), terms, tell).await
}

/// Whether a document refers to this place.
fn refers(reference: Option<&str>, place: &StatePlace) -> bool {
    reference
        .and_then(|reference| reference.parse::<StatePlace>().ok())
        .is_some_and(|named| is_same_place(&named, place))
}

async fn copy((from, from_place): At<'_>, (to, to_place): At<'_>) -> Result<(), StateError> {
    let (mine, my_version) = state(from).await?;
    let (theirs, mut their_version) = state(to).await?;
    let in_transit = refers(theirs.moved_to.as_deref(), from_place);
    let left = match &mine.moved_to {
        None => false,
        Some(_) if refers(mine.moved_to.as_deref(), to_place) => true,
        Some(place) => {
            return Err(StateError::Moved { environment: mine.environment.clone(), to: place.clone() });
        }
    };
    if left && their_version.is_some() && theirs.moved_to.is_none() {
        return Ok(());
    }
    if !left {
        if their_version.is_some() && !in_transit {
            return Err(StateError::Unfit {
                address: to.address(),
                reason: "it already has another state of this environment".to_owned(),
                hint: "choose another place, or compare them with `sftpctl state show --state PLACE`".to_owned(),
            });
        }
        journal(from, to).await?;
        let copy = State { moved_to: Some(from_place.to_string()), on_its_way: true, ..mine.clone() };
        their_version = Some(put(to, &copy, their_version.as_ref()).await?);
        let reference = State { moved_to: Some(to_place.to_string()), on_its_way: false, ..mine.clone() };
        put(from, &reference, my_version.as_ref()).await?;
    }
    put(to, &State { moved_to: None, on_its_way: false, ..mine }, their_version.as_ref()).await.map(drop)
}

/// The state as it was written there, also if it refers to another place.
async fn state(store: &Store) -> Result<(State, Option<Version>), StateError> {
    let name = store.state_name();
    let Some(blob) = store.blobs.get(&name).await? else {
        return Ok((State::new(&store.environment, &store.account), None));
    };
    let state = State::read(&store.address(), &blob.content)?;
    store.ours(&name, &state.environment, &state.account)?;
    Ok((state, Some(blob.version)))
}

async fn put(store: &Store, state: &State, expect: Option<&Version>) -> Result<Version, StateError> {
    let next = State { serial: state.serial + 1, ..state.clone() };
    store.blobs.put(&store.state_name(), &next.write(), Expect::found(expect)).await
}

async fn journal(from: &Store, to: &Store) -> Result<(), StateError> {
    let Some(mine) = from.blobs.get(&from.journal_name()).await? else { return Ok(()) };
    let theirs = to.blobs.get(&to.journal_name()).await?;
    let expect = Expect::found(theirs.as_ref().map(|blob| &blob.version));
    to.blobs.put(&to.journal_name(), &mine.content, expect).await.map(drop)
}
