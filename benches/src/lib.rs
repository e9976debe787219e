//! What the benchmarks and the test of bytes share.

pub mod heap;
