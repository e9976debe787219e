//! Store ids: larder's and TypeScript's, and nothing that a path or a log would trip over.

use larder_wire::{StoreId, StoreIdError};

#[test]
fn ids_of_larder_and_of_typescript_are_taken() {
    let long = "x".repeat(120);
    for id in ["a", "issue:123", "user:a~40b.c", "0", "a.b", "_private", "-n66bSX_D3", "cap-szygat", &long] {
        assert_eq!(StoreId::new(id).map(|id| id.to_string()), Ok(id.to_owned()));
    }
}

#[test]
fn anything_else_says_what_is_wrong_with_it() {
    let long = "x".repeat(121);
    let cases = [
        ("", StoreIdError::Empty),
        (long.as_str(), StoreIdError::TooLong { bytes: 121 }),
        ("a/b", StoreIdError::Byte { at: 1 }),
        ("a b", StoreIdError::Byte { at: 1 }),
        ("ä", StoreIdError::Byte { at: 0 }),
        ("a\0", StoreIdError::Byte { at: 1 }),
        ("a\n", StoreIdError::Byte { at: 1 }),
        ("%2e", StoreIdError::Byte { at: 0 }),
        ("a..b", StoreIdError::TwoDots),
        (".a", StoreIdError::First),
        (":a", StoreIdError::First),
        ("_a:b", StoreIdError::First),
    ];
    for (id, error) in cases {
        assert_eq!(StoreId::new(id), Err(error), "{id:?}");
    }
}
