//! Changes in batches that Route 53 takes (Route 53 developer guide, "Quotas", "Maximums on ChangeResourceRecordSets
//! requests"). A batch is carried out as a whole or not at all.

use super::decide::Change;
use super::zone::Cname;

/// `ResourceRecord` elements in a request. Those of UPSERT count twice; there is none here.
pub const RECORDS: usize = 1_000;
/// Characters in all `Value` elements of a request.
pub const CHARACTERS: usize = 32_000;

fn values(change: &Change) -> impl Iterator<Item = &Cname> {
    change.old.iter().chain(&change.new)
}

/// Splits changes into batches, in order. The deletion and creation of one record stay together.
pub fn batches(changes: &[Change]) -> Vec<&[Change]> {
    let mut batches = Vec::new();
    let (mut rest, mut size) = (changes, (0, 0, 0));
    for change in changes {
        let (records, characters) =
            (values(change).count(), values(change).map(|c| c.value.chars().count()).sum::<usize>());
        let (count, all_records, all_characters) = size;
        if all_records + records > RECORDS || all_characters + characters > CHARACTERS {
            let (batch, later) = rest.split_at(count);
            batches.push(batch);
            (rest, size) = (later, (1, records, characters));
        } else {
            size = (count + 1, all_records + records, all_characters + characters);
        }
    }
    if !rest.is_empty() {
        batches.push(rest);
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change(old: Option<usize>, new: Option<usize>) -> Change {
        let cname = |length: usize| Cname { value: "x".repeat(length), ttl: 60 };
        Change { name: "a".into(), old: old.map(cname), new: new.map(cname) }
    }

    #[test]
    fn creations_count_once_and_moves_twice() {
        let sizes = |changes: Vec<Change>| batches(&changes).iter().map(|batch| batch.len()).collect::<Vec<_>>();
        assert_eq!(sizes(vec![change(None, Some(20)); 2_500]), [1_000, 1_000, 500]);
        assert_eq!(sizes(vec![change(Some(10), Some(20)); 1_200]), [500, 500, 200]);
        assert_eq!(sizes(vec![change(None, Some(64)); 1_001]), [500, 500, 1], "32,000 characters");
        assert_eq!(sizes(Vec::new()), [0; 0]);
    }

    proptest! {
        #[test]
        fn no_batch_is_too_large_and_none_is_lost(
            lengths in prop::collection::vec((prop::option::of(1_usize..255), 1_usize..255), 0..3_000)
        ) {
            let changes: Vec<Change> = lengths.into_iter().map(|(old, new)| change(old, Some(new))).collect();
            let batches = batches(&changes);
            prop_assert_eq!(batches.concat(), changes.clone());
            for batch in batches {
                let all: Vec<&Cname> = batch.iter().flat_map(values).collect();
                prop_assert!(!batch.is_empty() && all.len() <= RECORDS);
                prop_assert!(all.iter().map(|cname| cname.value.len()).sum::<usize>() <= CHARACTERS);
            }
        }
    }
}
