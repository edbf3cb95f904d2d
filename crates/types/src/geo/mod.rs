//! Geographic positions as 52-bit integers, distances and searches.
