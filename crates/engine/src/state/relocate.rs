//! Moves an environment's records to another place. At no moment are both places in use.
//!
//! A move has three writes: a copy at the new place, with a reference to the old one; a reference at the old place to
//! the new one; and the copy without its reference. After an interruption, either the old place is still in use, or
//! both places refer to each other. Rerunning the move finishes it.

use super::blob::{Expect, Version};
use super::error::StateError;
use super::lease::Terms;
use super::lease_keeper::Heartbeat;
use super::model::State;
use super::same_place::is_same_place;
use super::store::{Store, run_id};
use sftpctl_core::spec::state_place::StatePlace;

/// Records and their place.
pub type At<'a> = (&'a Store, &'a StatePlace);

/// Moves the records.
///
/// # Errors
/// A lock is held; the new place has other records of this environment; a place cannot be read or written.
pub async fn relocate(
    from: At<'_>,
    to: At<'_>,
    terms: Terms,
    on_wait: &(dyn Fn(&str) + Sync),
) -> Result<(), StateError> {
    to.0.blobs.check().await?;
    let source_lock = hold(from.0, terms, on_wait).await?;
    let target_lock = hold(to.0, terms, on_wait).await;
    let result = match &target_lock {
        Ok(_) => copy(from, to).await,
        Err(_) => Ok(()),
    };
    let target_released = match target_lock {
        Ok(lock) => lock.release().await,
        Err(error) => Err(error),
    };
    let source_released = source_lock.release().await;
    result.and(target_released).and(source_released)
}

async fn hold(store: &Store, terms: Terms, on_wait: &(dyn Fn(&str) + Sync)) -> Result<Heartbeat, StateError> {
    store.hold((&run_id(), "state move"), terms, on_wait).await
}

/// Whether a document refers to this place.
fn refers_to(reference: Option<&str>, place: &StatePlace) -> bool {
    reference
        .and_then(|reference| reference.parse::<StatePlace>().ok())
        .is_some_and(|referenced| is_same_place(&referenced, place))
}

async fn copy((from, from_place): At<'_>, (to, to_place): At<'_>) -> Result<(), StateError> {
    let (source, source_version) = state(from).await?;
    let (target, mut target_version) = state(to).await?;
    let in_transit = refers_to(target.moved_to.as_deref(), from_place);
    let source_refers = match &source.moved_to {
        None => false,
        Some(_) if refers_to(source.moved_to.as_deref(), to_place) => true,
        Some(place) => {
            return Err(StateError::Moved { environment: source.environment.clone(), to: place.clone() });
        }
    };
    if source_refers && target_version.is_some() && target.moved_to.is_none() {
        return Ok(());
    }
    if !source_refers {
        if target_version.is_some() && !in_transit {
            return Err(StateError::Unfit {
                address: to.address(),
                reason: "it already has another state of this environment".to_owned(),
                hint: "choose another place, or compare them with `sftpctl state show --state PLACE`".to_owned(),
            });
        }
        journal(from, to).await?;
        from.copy_companions(to).await?;
        let copy = State { moved_to: Some(from_place.to_string()), on_its_way: true, ..source.clone() };
        target_version = Some(put(to, &copy, target_version.as_ref()).await?);
        let reference = State { moved_to: Some(to_place.to_string()), on_its_way: false, ..source.clone() };
        put(from, &reference, source_version.as_ref()).await?;
    }
    put(to, &State { moved_to: None, on_its_way: false, ..source }, target_version.as_ref()).await.map(drop)
}

/// Reads the state, even if it refers to another place.
async fn state(store: &Store) -> Result<(State, Option<Version>), StateError> {
    let name = store.state_name();
    let Some(blob) = store.blobs.get(&name).await? else {
        return Ok((State::new(&store.environment, &store.account), None));
    };
    let state = State::read(&store.address(), &blob.content)?;
    store.check_owner(&name, &state.environment, &state.account)?;
    Ok((state, Some(blob.version)))
}

async fn put(store: &Store, state: &State, expect: Option<&Version>) -> Result<Version, StateError> {
    let next = State { serial: super::document::next(state.serial), ..state.clone() };
    store.blobs.put(&store.state_name(), &next.write(), Expect::found(expect)).await
}

async fn journal(from: &Store, to: &Store) -> Result<(), StateError> {
    let Some(source) = from.blobs.get(&from.journal_name()).await? else { return Ok(()) };
    let target = to.blobs.get(&to.journal_name()).await?;
    let expect = Expect::found(target.as_ref().map(|blob| &blob.version));
    to.blobs.put(&to.journal_name(), &source.content, expect).await.map(drop)
}
