//! Reads the program headers of a 64-bit little-endian ELF file. Pure, and safe on any bytes.

const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;

/// Whether the program runs without the machine's shared libraries: it names no loader and needs no library. A static
/// position-independent program also has a dynamic section, but one without libraries. A file whose headers point
/// outside it does not count as static.
pub(super) fn is_static(binary: &[u8]) -> bool {
    is_dynamic(binary) == Some(false)
}

fn is_dynamic(binary: &[u8]) -> Option<bool> {
    let count = half(binary, 56)?;
    if count == 0 {
        return None;
    }
    for number in 0..u64::from(count) {
        let step = number.checked_mul(u64::from(half(binary, 54)?))?;
        let header = double(binary, 32)?.checked_add(step)?;
        let kind = u32::from_le_bytes(read(binary, header)?);
        let (offset, size) = (double(binary, header.checked_add(8)?)?, double(binary, header.checked_add(32)?)?);
        if kind == PT_INTERP || (kind == PT_DYNAMIC && names_library(binary, offset, size)?) {
            return Some(true);
        }
    }
    Some(false)
}

/// Whether the dynamic section at `offset` names a library.
fn names_library(binary: &[u8], offset: u64, size: u64) -> Option<bool> {
    let start = usize::try_from(offset).ok()?;
    let section = binary.get(start..start.checked_add(usize::try_from(size).ok()?)?)?;
    let tags = section.chunks_exact(16).filter_map(|entry| double(entry, 0));
    Some(tags.take_while(|tag| *tag != DT_NULL).any(|tag| tag == DT_NEEDED))
}

fn half(binary: &[u8], at: u64) -> Option<u16> {
    read(binary, at).map(u16::from_le_bytes)
}

fn double(binary: &[u8], at: u64) -> Option<u64> {
    read(binary, at).map(u64::from_le_bytes)
}

fn read<const N: usize>(binary: &[u8], at: u64) -> Option<[u8; N]> {
    binary.get(usize::try_from(at).ok()?..)?.first_chunk().copied()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Type (`p_type`) and content of a segment.
    pub(in crate::package) type Segment<'a> = (u32, &'a [u64]);

    pub(in crate::package) const LOADED: &[Segment<'_>] = &[(PT_INTERP, &[])];

    /// A file of these segments, each filled with numbers, followed by this text.
    pub(in crate::package) fn elf(machine: u16, segments: &[Segment<'_>], text: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
        bytes.resize(64, 0);
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = u8::try_from(segments.len()).unwrap();
        let mut offset = 64 + 56 * segments.len();
        for (kind, content) in segments {
            let mut header = [0; 56];
            header[..4].copy_from_slice(&kind.to_le_bytes());
            header[8..16].copy_from_slice(&(offset as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(content.len() as u64 * 8).to_le_bytes());
            bytes.extend(header);
            offset += content.len() * 8;
        }
        bytes.extend(segments.iter().flat_map(|(_, content)| content.iter().flat_map(|number| number.to_le_bytes())));
        bytes.extend(text);
        bytes
    }

    #[test]
    fn program_without_loader_and_libraries_is_static() {
        let cases: [(&[Segment<'_>], bool); 5] = [
            (&[(1, &[7])], true),
            (&[(1, &[]), (PT_INTERP, &[])], false),
            (&[(PT_DYNAMIC, &[DT_NEEDED, 1, DT_NULL, 0])], false),
            (&[(PT_DYNAMIC, &[24, DT_NEEDED, DT_NULL, 0, DT_NEEDED, 1])], true),
            (&[], false),
        ];
        for (segments, expected) in cases {
            assert_eq!(is_static(&elf(62, segments, b"")), expected, "{segments:?}");
        }
    }

    #[test]
    fn damaged_headers_do_not_count_as_static() {
        let good = elf(62, &[(1, &[]), (PT_DYNAMIC, &[24, 0, DT_NULL, 0])], b"");
        assert!(is_static(&good));
        for length in 0..good.len() {
            assert!(!is_static(&good[..length]), "{length}");
        }
        // Offset of the header table, size and number of its entries, offset and size of the dynamic section.
        for at in [32..40, 54..56, 56..58, 128..136, 152..160] {
            let mut bad = good.clone();
            bad[at.clone()].fill(0xff);
            assert!(!is_static(&bad), "{at:?}");
        }
    }
}
