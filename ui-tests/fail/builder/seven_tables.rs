//! A query has so many tables and no more.

use larder::prelude::*;

fn misuse() {
    let six = One::all().join(Two::OF).join(Three::OF).join(Four::OF).join(Five::OF).join(Six::OF);
    let _ = six.join(Seven::OF);
}

#[derive(Table)]
struct One {
    #[table(primary_key)]
    id: i64,
}

#[derive(Table)]
struct Two {
    #[table(primary_key)]
    id: i64,
    #[table(references(One))]
    of: i64,
}

#[derive(Table)]
struct Three {
    #[table(primary_key)]
    id: i64,
    #[table(references(Two))]
    of: i64,
}

#[derive(Table)]
struct Four {
    #[table(primary_key)]
    id: i64,
    #[table(references(Three))]
    of: i64,
}

#[derive(Table)]
struct Five {
    #[table(primary_key)]
    id: i64,
    #[table(references(Four))]
    of: i64,
}

#[derive(Table)]
struct Six {
    #[table(primary_key)]
    id: i64,
    #[table(references(Five))]
    of: i64,
}

#[derive(Table)]
struct Seven {
    #[table(primary_key)]
    id: i64,
    #[table(references(Six))]
    of: i64,
}

fn main() {}
