//! The thresholds at which collections change shape: hot parameters, frozen for one command.

use stdx::hash::Seed;

/// One field for each parameter; the defaults are those of Redis.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `hash-max-listpack-entries`: fields.
    pub hash_entries: usize,
    /// `hash-max-listpack-value`: bytes of one field or value.
    pub hash_value_bytes: usize,
    /// `set-max-intset-entries`: members.
    pub set_intset_entries: usize,
    /// `set-max-listpack-entries`: members.
    pub set_entries: usize,
    /// `set-max-listpack-value`: bytes of one member.
    pub set_value_bytes: usize,
    /// `zset-max-listpack-entries`: members.
    pub zset_entries: usize,
    /// `zset-max-listpack-value`: bytes of one member.
    pub zset_value_bytes: usize,
    /// `list-max-listpack-size`: elements if positive, -1 to -5 for 4, 8, 16, 32, 64 KiB.
    pub list_size: i32,
    /// `stream-node-max-bytes`; 0: no limit.
    pub stream_node_bytes: usize,
    /// `stream-node-max-entries`; 0: no limit.
    pub stream_node_entries: usize,
    /// `stream-idmp-duration`, `stream-idmp-maxsize`: what a new stream remembers.
    pub stream_memory: crate::stream::Memory,
    /// `hll-sparse-max-bytes`.
    pub hll_sparse_bytes: usize,
    /// Of this process: large hash tables hash with it.
    pub seed: Seed,
}

impl Default for Limits {
    /// Redis's thresholds, under a seed of zeros.
    fn default() -> Self {
        Self {
            hash_entries: 512,
            hash_value_bytes: 64,
            set_intset_entries: 512,
            set_entries: 128,
            set_value_bytes: 64,
            zset_entries: 128,
            zset_value_bytes: 64,
            list_size: -2,
            stream_node_bytes: 4096,
            stream_node_entries: 100,
            stream_memory: crate::stream::Memory::default(),
            hll_sparse_bytes: 3000,
            seed: Seed::new(0, 0),
        }
    }
}
