//! Compares every message with the one on file. After a change, run with `TRYBUILD=overwrite` and read what changed as a user would.
//! A new case has a heading in `docs/compile-errors.md`, too; the test in `tests/tests/it/compile_errors.rs` prints what to add.

#[test]
fn mistakes_get_a_message_that_says_what_to_write() {
    trybuild::TestCases::new().compile_fail("fail/*/*.rs");
}

#[test]
fn generated_code_compiles_whatever_surrounds_it() {
    trybuild::TestCases::new().pass("pass/*.rs");
}
