//! Scripts: a Lua machine per worker behind one small interface, with limits, and the libraries that Redis offers.
