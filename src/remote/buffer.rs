//! Memory to join a body in.
//!
//! The first touch of every page costs a fault. With pages of 4 KiB, that is more than all else
//! that is done to a large body; so a large one gets huge pages, straight from the system where it
//! has them, and they go back as soon as the body is gone.

use bytes::{Bytes, BytesMut};
use memmap2::MmapMut;

/// From where on a body is worth pages of its own, in bytes.
const LARGE: usize = 1024 * 1024;

/// The size of a huge page nearly everywhere. Linux lays out only a multiple of it for huge pages.
const HUGE: usize = 2 * 1024 * 1024;

/// A buffer that grows at its end.
#[derive(Debug)]
pub enum Buffer {
    /// On the heap.
    Heap(BytesMut),
    /// In pages of its own.
    Pages(Pages),
}

impl Buffer {
    /// An empty buffer with room for `length` bytes.
    pub fn with_room(length: usize) -> Self {
        match Pages::for_large(length) {
            Some(pages) => Buffer::Pages(pages),
            None => Buffer::Heap(BytesMut::with_capacity(length)),
        }
    }

    /// Adds `bytes`, beyond the room that was asked for if need be.
    pub fn push(&mut self, bytes: &[u8]) {
        match self {
            Buffer::Heap(heap) => heap.extend_from_slice(bytes),
            Buffer::Pages(pages) if pages.has_room(bytes.len()) => pages.push(bytes),
            Buffer::Pages(pages) => {
                let mut heap = BytesMut::from(pages.as_ref());
                heap.extend_from_slice(bytes);
                *self = Buffer::Heap(heap);
            }
        }
    }

    /// How many bytes it holds.
    pub fn len(&self) -> usize {
        match self {
            Buffer::Heap(heap) => heap.len(),
            Buffer::Pages(pages) => pages.len,
        }
    }

    /// What it holds, without a copy.
    pub fn freeze(self) -> Bytes {
        match self {
            Buffer::Heap(heap) => heap.freeze(),
            Buffer::Pages(pages) => Bytes::from_owner(pages),
        }
    }
}

/// Pages straight from the system, and how much of them is filled.
#[derive(Debug)]
pub struct Pages {
    map: MmapMut,
    len: usize,
}

impl Pages {
    /// Room for `length` bytes, where that is much and the system has huge pages.
    fn for_large(length: usize) -> Option<Self> {
        if length < LARGE {
            return None;
        }
        let map = MmapMut::map_anon(length.next_multiple_of(HUGE)).ok()?;
        ask_for_huge(&map).then_some(Pages { map, len: 0 })
    }

    fn has_room(&self, length: usize) -> bool {
        length <= self.map.len() - self.len
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.map[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }
}

/// Asks for huge pages; whether the system knows them.
#[cfg(target_os = "linux")]
fn ask_for_huge(map: &MmapMut) -> bool {
    map.advise(memmap2::Advice::HugePage).is_ok()
}

/// Small pages are better reused, which the heap does.
#[cfg(not(target_os = "linux"))]
fn ask_for_huge(_: &MmapMut) -> bool {
    false
}

impl AsRef<[u8]> for Pages {
    fn as_ref(&self) -> &[u8] {
        &self.map[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_stays_on_the_heap() {
        assert!(Pages::for_large(LARGE - 1).is_none());
    }

    #[test]
    fn it_holds_what_was_pushed_even_beyond_its_room() {
        for room in [0, LARGE, HUGE, HUGE + 1] {
            let mut buffer = Buffer::with_room(room);
            let mut expected = Vec::new();
            for (mark, length) in [(b'a', 3), (b'b', HUGE - 3), (b'c', 0), (b'd', HUGE), (b'e', 1)]
            {
                let part = vec![mark; length];
                expected.extend_from_slice(&part);
                buffer.push(&part);
                assert_eq!(buffer.len(), expected.len(), "room for {room}");
            }
            assert!(buffer.freeze() == expected, "room for {room}");
        }
    }

    #[test]
    fn what_fits_stays_in_its_pages() {
        // Not every system has them.
        let Some(pages) = Pages::for_large(LARGE) else { return };
        let mut buffer = Buffer::Pages(pages);
        buffer.push(&vec![b'a'; HUGE]);
        assert!(matches!(buffer, Buffer::Pages(_)));
        buffer.push(b"b");
        assert!(matches!(buffer, Buffer::Heap(_)));
    }
}
