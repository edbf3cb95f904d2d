//! A large hash table of packed records with an O(1) clone, under large sets and hashes.
