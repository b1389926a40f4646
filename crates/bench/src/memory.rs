//! Memory that the kernel copies to and from as fast as it can. Pure.

/// Bytes of a page of the processors that this runs on, or a multiple.
const PAGE: usize = 4096;

/// Zeros at first, which begin where a page does. What an allocator gives begins 16 bytes later, and a copy of the page
/// cache to there took up to a third more time (AMD EPYC, Linux 6.18).
pub(crate) struct Pages {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Pages {
    pub(crate) fn new(length: usize) -> Self {
        let memory = vec![0; length + PAGE];
        // `usize::MAX` where it cannot be told; such memory is as good, but slower.
        let start = Some(memory.as_ptr().align_offset(PAGE)).filter(|start| *start < PAGE).unwrap_or_default();
        Self { memory, start, length }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.start + self.length).unwrap_or_default()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.start..self.start + self.length).unwrap_or_default()
    }
}

/// The largest number that is not greater and begins a page.
pub(crate) fn page_before(offset: usize) -> usize {
    offset / PAGE * PAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_begin_where_a_page_does() {
        for length in [1, 5000, 1 << 20] {
            let mut pages = Pages::new(length);
            pages.bytes_mut().fill(7);
            assert_eq!((pages.bytes().len(), pages.bytes().as_ptr().align_offset(PAGE)), (length, 0));
        }
        assert_eq!([0, 4095, 4096, 9000].map(page_before), [0, 0, 4096, 8192]);
    }
}
