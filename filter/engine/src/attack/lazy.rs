//! Regular expressions whose table would be too large: their automata are kept without determinising and are
//! determinised as far as a text needs, in a bounded cache.
