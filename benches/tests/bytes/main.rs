//! Bytes come back: what stores and registries allocate is freed when they end. One test, so that nobody else allocates meanwhile.

#[path = "../../benches/speed/app.rs"]
#[expect(dead_code, reason = "the benchmarks use more of it")]
mod app;
mod rounds;
