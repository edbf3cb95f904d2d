//! A B+tree of chunks with an O(1) clone and counts, under large sorted sets, lists and streams.
