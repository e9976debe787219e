//! Messages of queries over many stores, and of projections.

use std::sync::Arc;

use super::{AcrossError, Case, CommitErrorKind, LoadError, QueryError, QueryErrorKind, check, identity, store, text};

#[test]
fn errors_of_many_stores() {
    let several = || QueryErrorKind::SeveralTables { sql: "SELECT 1".into() };
    let across: [Case<AcrossError>; 6] = [
        (LoadError::Cancelled { store: store() }.into(), &["cancelled"], "get it again"),
        (QueryError::new(store(), several()).into(), &["several tables"], "`each`"),
        (AcrossError::Union { definition: "note", source: several() }, &["`note`", "several tables"], "`each`"),
        (
            AcrossError::NotProjected {
                projection: store(),
                source: Arc::new(CommitErrorKind::DiskFull { store: store() }),
            },
            &["projection note/n:1", "disk is full"],
            "`catch_up`",
        ),
        (AcrossError::ShutDown { definition: "note" }, &["`note`", "shut down"], "build another one"),
        (AcrossError::Panicked { definition: "note", message: text() }, &["`note`", "the cause"], "mend that"),
    ];
    check(across, identity);
}
