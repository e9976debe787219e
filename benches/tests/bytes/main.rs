//! Bytes come back: what stores and registries allocate is freed when they end. One test, so that nobody else allocates meanwhile.

#[path = "../../benches/speed/app.rs"]
mod app;
mod rounds;
