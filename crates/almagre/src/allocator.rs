//! What jemalloc says about itself. It is built with size classes of 8 bytes (see
//! `.cargo/config.toml`), as the blocks of small keys are sized to the byte.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::CStr;

use runtime::sysinfo::{Allocator, AllocatorStats};
use tikv_jemalloc_ctl::{background_thread, epoch, raw, stats};

/// Bytes that the threads keep at hand: jemalloc counts them as allocated. With so many size
/// classes they come to hundreds of kilobytes, and change by as much with a few keys.
#[expect(unsafe_code, reason = "jemalloc's control names are raw")]
fn cached() -> u64 {
    /// MALLCTL_ARENAS_ALL.
    const CACHED: &[u8] = b"stats.arenas.4096.tcache_bytes\0";
    // SAFETY: the name is a constant that ends in NUL, and the value is a size_t.
    let cached = unsafe { raw::read::<usize>(CACHED) };
    cached.map_or(0, |bytes| bytes as u64)
}

/// jemalloc for all of the program, with the alignment that layouts ask for.
///
/// `tikv_jemallocator` relies on blocks of 16 bytes and more being aligned to 16, which classes of
/// 24, 40 and 56 bytes are not: a small hash table, whose groups are read by vector instructions,
/// would end the process. A size that is a multiple of its alignment has a class that keeps it.
pub(crate) struct Global;

fn padded(layout: Layout) -> Layout {
    layout.pad_to_align()
}

#[expect(unsafe_code, reason = "an allocator")]
// SAFETY: all calls go to jemalloc with a layout of the same alignment and at least the size, and
// always the same one for the same block.
unsafe impl GlobalAlloc for Global {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises hold for the padded layout.
        unsafe { tikv_jemallocator::Jemalloc.alloc(padded(layout)) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { tikv_jemallocator::Jemalloc.alloc_zeroed(padded(layout)) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block was allocated with the padded layout.
        unsafe { tikv_jemallocator::Jemalloc.dealloc(block, padded(layout)) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // The caller promises that this does not overflow.
        let new_size = new_size.next_multiple_of(layout.align());
        // SAFETY: as above; the new size is padded likewise.
        unsafe { tikv_jemallocator::Jemalloc.realloc(block, padded(layout), new_size) }
    }
}

pub(crate) static JEMALLOC: Jemalloc = Jemalloc;

/// Unused pages go back to the system within half a second, by a thread of jemalloc's own: tables
/// that grow and shrink leave many, and resident memory is what users pay for. That thread comes by
/// `Jemalloc::purge_in_background`, as a process with threads cannot go to the background. Of sizes
/// above 1 KiB threads keep none at hand: with four classes to each doubling that would be 800 KiB a
/// thread. jemalloc reads the options by this name before `main`.
#[expect(unsafe_code, reason = "the name is part of jemalloc's interface")]
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: Option<&'static libc::c_char> = {
    const TEXT: &CStr = c"dirty_decay_ms:500,muzzy_decay_ms:0,lg_tcache_max:10";
    // SAFETY: the first byte of a C string that lives for ever.
    Some(unsafe { &*TEXT.as_ptr() })
};

/// The process's allocator.
pub(crate) struct Jemalloc;

impl Allocator for Jemalloc {
    fn name(&self) -> &str {
        "jemalloc-5.3.0"
    }

    fn stats(&self) -> AllocatorStats {
        // The figures are those of the last epoch; a failure leaves the old ones.
        if epoch::advance().is_err() {
            return AllocatorStats::default();
        }
        let bytes = |value: Result<usize, _>| value.map_or(0, |bytes: usize| bytes as u64);
        AllocatorStats {
            allocated: bytes(stats::allocated::read().map_err(drop)).saturating_sub(cached()),
            active: bytes(stats::active::read().map_err(drop)),
            resident: bytes(stats::resident::read().map_err(drop)),
            retained: bytes(stats::retained::read().map_err(drop)),
            muzzy: 0,
        }
    }

    #[expect(unsafe_code, reason = "jemalloc's control names are raw")]
    fn purge(&self) {
        /// MALLCTL_ARENAS_ALL.
        const PURGE_ALL: &[u8] = b"arena.4096.purge\0";
        // SAFETY: the name is a constant that ends in NUL, and the command takes no value.
        let purged = unsafe { raw::write(PURGE_ALL, ()) };
        debug_assert!(purged.is_ok() || purged.is_err(), "purging is best effort");
    }

    fn purge_in_background(&self, on: bool) -> bool {
        background_thread::write(on).is_ok()
    }
}
