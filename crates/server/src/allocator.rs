//! What the process's allocator can tell; the binary chooses the allocator and brings this.

/// Bytes, as the allocator counts them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heap {
    /// Handed out.
    pub allocated: u64,
    /// In pages that hold something handed out.
    pub active: u64,
    /// In physical memory.
    pub resident: u64,
    /// Dirty pages that were given back lazily.
    pub muzzy: u64,
}

/// The allocator of the process.
#[derive(Clone, Copy, Debug)]
pub struct Allocator {
    /// As INFO's `mem_allocator` prints it.
    pub name: &'static str,
    pub heap: fn() -> Heap,
    /// Gives unused pages back to the system (MEMORY PURGE).
    pub purge: fn(),
}
