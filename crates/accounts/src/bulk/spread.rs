//! Spreads keys evenly over parts, always in the same way.

/// The part of a key among `parts`, from 0: FNV-1a, whose bits are mixed once more (as MurmurHash3 ends), since it leaves the
/// high ones of short keys alike.
pub(crate) fn part_of(key: &[u8], parts: usize) -> usize {
    let hash = key
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    usize::try_from((mixed ^ (mixed >> 33)) % parts.max(1) as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_kind_are_spread_evenly() {
        for parts in [2, 7, 128] {
            let mut sizes = vec![0_u32; parts];
            for number in 100_000..110_000_u32 {
                sizes[part_of(number.to_string().as_bytes(), parts)] += 1;
            }
            let even = 10_000 / u32::try_from(parts).unwrap();
            assert!(sizes.iter().all(|size| (even / 2..even * 2).contains(size)), "{parts}: {sizes:?}");
        }
    }
}
