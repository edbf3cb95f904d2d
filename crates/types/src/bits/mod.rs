//! Bitmaps and bit fields: operations on the bits of a string.
