//! The bytes of a weight: part of a mapped file, or memory of its own.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

use memmap2::{Mmap, MmapMut, MmapOptions};

/// Bytes that do not change any more. A clone shares them; the last one gives them back to the system.
#[derive(Clone)]
pub struct WeightBytes {
    held: Held,
    range: Range<usize>,
}

#[derive(Clone)]
enum Held {
    File(Arc<Mmap>),
    Own(Arc<Buffer>),
}

impl WeightBytes {
    /// Some bytes of a file; `None` if it does not have them all. They lie as they lie there: on no boundary.
    pub fn of_file(file: Arc<Mmap>, range: Range<usize>) -> Option<Self> {
        file.get(range.clone())?;
        Some(Self { held: Held::File(file), range })
    }

    /// Some of these bytes; `None` if they are not all there.
    pub fn part(&self, range: Range<usize>) -> Option<Self> {
        self.as_slice().get(range.clone())?;
        let start = self.range.start;
        Some(Self { held: self.held.clone(), range: start + range.start..start + range.end })
    }

    /// All of these bytes, one after another.
    pub fn as_slice(&self) -> &[u8] {
        let whole: &[u8] = match &self.held {
            Held::File(file) => file,
            Held::Own(buffer) => buffer,
        };
        &whole[self.range.clone()]
    }
}

impl From<Buffer> for WeightBytes {
    fn from(buffer: Buffer) -> Self {
        let range = 0..buffer.len();
        Self { held: Held::Own(Arc::new(buffer)), range }
    }
}

impl Deref for WeightBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl fmt::Debug for WeightBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = match self.held {
            Held::File(_) => "of a file",
            Held::Own(_) => "of its own",
        };
        write!(f, "{} bytes {held}", self.range.len())
    }
}

/// From this size on a buffer has pages of its own, which go back to the system at once when it is dropped: what lies on
/// the heap may be kept there for the next of its size, and be counted as memory of a model that is gone.
const OWN_PAGES: usize = 1 << 20;

/// From this size on the pages are to be huge ones. The kernel clears one at a time, so a buffer of gigabytes is there in a
/// fraction of the time, and a product that reads all of it finds it by fewer entries of the translation cache.
const HUGE_PAGES: usize = 4 << 20;

/// Size and alignment of a huge page: that of x86-64, and of AArch64 with pages of 4 KiB.
const HUGE_PAGE: usize = 2 << 20;

/// Memory that is to be filled: zeros at first, on a boundary of 64 bytes. What is not touched takes no memory, if the
/// buffer is of a megabyte or more.
pub struct Buffer {
    memory: Memory,
    /// Where in it the bytes lie.
    range: Range<usize>,
}

enum Memory {
    Heap(Vec<Line>),
    Pages(MmapMut),
}

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl Buffer {
    /// A buffer of so many zeros.
    ///
    /// # Errors
    /// If the system has no room for it.
    pub fn zeroed(length: usize) -> io::Result<Self> {
        if length < OWN_PAGES {
            let lines = vec![Line([0; 64]); length.div_ceil(size_of::<Line>())];
            return Ok(Self { memory: Memory::Heap(lines), range: 0..length });
        }
        if length < HUGE_PAGES {
            return Ok(Self { memory: Memory::Pages(MmapOptions::new().len(length).map_anon()?), range: 0..length });
        }
        // A huge page lies on a boundary of its size; what is before and behind stays untouched.
        let reserved = length.checked_add(HUGE_PAGE).ok_or(io::ErrorKind::OutOfMemory)?;
        let pages = MmapOptions::new().len(reserved).map_anon()?;
        let start = pages.as_ptr().align_offset(HUGE_PAGE).min(HUGE_PAGE);
        advise_huge_pages(&pages, start..start + length);
        Ok(Self { memory: Memory::Pages(pages), range: start..start + length })
    }
}

/// Asks for huge pages where whole ones fit, and for small ones behind, so that no more memory is taken than is used.
/// Where the system has none, or does not listen, all pages are small.
#[cfg(target_os = "linux")]
fn advise_huge_pages(pages: &MmapMut, range: Range<usize>) {
    use memmap2::Advice;
    let whole = range.len() / HUGE_PAGE * HUGE_PAGE;
    let behind = range.start + whole;
    let _ = pages.advise_range(Advice::HugePage, range.start, whole);
    let _ = pages.advise_range(Advice::NoHugePage, behind, pages.len() - behind);
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_: &MmapMut, _: Range<usize>) {}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.memory {
            // SAFETY: lines are bytes without padding, and the range was taken to be within them.
            Memory::Heap(lines) => unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), self.range.len()) },
            Memory::Pages(pages) => &pages[self.range.clone()],
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.memory {
            // SAFETY: as in `deref`; any byte may be written into a line.
            Memory::Heap(lines) => unsafe {
                std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), self.range.len())
            },
            Memory::Pages(pages) => &mut pages[self.range.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    const SIZES: [usize; 8] = [0, 1, 64, 1000, OWN_PAGES, HUGE_PAGES - 1, HUGE_PAGES, HUGE_PAGES + HUGE_PAGE + 12_345];

    #[test]
    fn a_buffer_is_zeros_on_a_boundary_of_a_line_whatever_its_size() {
        for size in SIZES {
            let buffer = Buffer::zeroed(size).unwrap();
            assert_eq!(buffer.len(), size);
            assert!(buffer.as_ptr().cast::<Line>().is_aligned(), "{size}");
            assert!(buffer.iter().all(|byte| *byte == 0), "{size}");
        }
    }

    #[test]
    fn what_is_written_into_a_buffer_is_what_its_bytes_and_their_parts_are() {
        for size in SIZES {
            let mut buffer = Buffer::zeroed(size).unwrap();
            for (at, byte) in buffer.iter_mut().enumerate() {
                *byte = (at % 251) as u8;
            }
            let bytes = WeightBytes::from(buffer);
            let part = bytes.part(size / 2..size).unwrap();
            let end = part.part(part.len()..part.len()).unwrap();
            drop(bytes);
            assert!(part.iter().enumerate().all(|(at, byte)| *byte == ((size / 2 + at) % 251) as u8), "{size}");
            assert!(end.is_empty());
        }
    }

    #[test]
    fn bytes_of_a_file_are_those_that_it_has() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, b"0123456789").unwrap();
        // SAFETY: nobody else has the file.
        let map = Arc::new(unsafe { Mmap::map(&File::open(file.path()).unwrap()) }.unwrap());
        let bytes = WeightBytes::of_file(Arc::clone(&map), 2..7).unwrap();
        assert_eq!(bytes.as_slice(), b"23456");
        assert_eq!(bytes.part(1..3).unwrap().as_slice(), b"34");
        assert!(bytes.part(1..6).is_none());
        assert!(WeightBytes::of_file(map, 5..11).is_none());
    }

    #[test]
    fn a_buffer_larger_than_the_address_space_is_an_error() {
        assert!(Buffer::zeroed(usize::MAX).is_err());
        assert!(Buffer::zeroed(1 << 60).is_err());
    }

    /// Pages of a mapping that take memory.
    #[cfg(target_os = "linux")]
    fn resident(buffer: &Buffer) -> usize {
        let Memory::Pages(pages) = &buffer.memory else { panic!("the buffer has no pages of its own") };
        // SAFETY: asks for a parameter of the system.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let mut is_resident = vec![0u8; pages.len().div_ceil(page)];
        // SAFETY: the mapping is there, and the vector has a byte for each of its pages.
        let failed = unsafe { libc::mincore(pages.as_ptr().cast_mut().cast(), pages.len(), is_resident.as_mut_ptr()) };
        assert_eq!(failed, 0);
        is_resident.iter().filter(|is| **is & 1 == 1).count() * page
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_buffer_takes_the_memory_of_what_was_touched_of_it_and_no_more_than_its_size() {
        for size in [OWN_PAGES, HUGE_PAGES, HUGE_PAGES + HUGE_PAGE + 12_345] {
            let mut buffer = Buffer::zeroed(size).unwrap();
            assert_eq!(resident(&buffer), 0);
            buffer[0] = 1;
            assert!(resident(&buffer) <= HUGE_PAGE);
            buffer.fill(1);
            assert!((size..size + (64 << 10)).contains(&resident(&buffer)), "{size}");
        }
    }
}
