//! Spreads keys evenly over parts, always in the same way.

/// The part of a key among `parts`, from 0: FNV-1a, since it only has to spread.
pub(crate) fn part_of(key: &[u8], parts: usize) -> usize {
    let hash = key
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    usize::try_from(hash >> 32).unwrap_or_default() % parts.max(1)
}
