//! Tuples of queries: one snapshot.
