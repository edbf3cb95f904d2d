//! A hint to the processor: what will be read soon.
#![expect(unsafe_code, reason = "an intrinsic")]

/// Bytes of a cache line.
pub const LINE: usize = 64;

/// Asks for the cache line of an address. Any address is allowed: a prefetch never faults.
#[inline]
pub fn prefetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint without architectural effect; SSE is part of x86_64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
