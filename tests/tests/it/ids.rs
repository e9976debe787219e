//! Store ids: which texts are ids, and that no two things share one.

use larder::{StoreIdError, prelude::*};
use proptest::{collection::vec, prelude::*};

#[derive(StoreKey, Clone, Debug, PartialEq)]
#[store_key("project:{project}:issue:{issue}")]
struct IssueKey {
    project: String,
    issue: i64,
}

#[derive(StoreKey, Clone, Debug, PartialEq)]
#[store_key("file:{name}:v1-{user}")]
struct FileKey {
    name: String,
    user: Uuid,
}

/// Parts that try to look like something else.
fn part() -> impl Strategy<Value = String> {
    let hostile =
        proptest::sample::select(vec![":", "~", ".", "..", "~3A", "3A", "a", "A", "-", "_", "/", "é", "\0", "0"]);
    prop_oneof![vec(hostile, 1..5).prop_map(|pieces| pieces.concat()), any::<String>()]
}

fn parse(text: &str) -> Result<StoreId, StoreIdError> {
    text.parse()
}

#[test]
fn an_id_is_1_to_120_bytes_of_the_alphabet() {
    let all = "A-Za-z0-9._:~-";
    for text in ["a", "Z", "7", "issue:123", "a._:~-", "A.b.c", &"x".repeat(120)] {
        assert_eq!(parse(text).unwrap().as_str(), text, "{all}");
    }
    assert_eq!(parse(""), Err(StoreIdError::Empty));
    assert!(matches!(parse(&"x".repeat(121)), Err(StoreIdError::TooLong { bytes: 121, .. })));
    assert!(matches!(parse("a..b"), Err(StoreIdError::Dots { .. })));
    for first in [".", "_", ":", "~", "-"] {
        assert!(matches!(parse(&format!("{first}a")), Err(StoreIdError::Start { .. })), "{first}");
    }
    for found in "/ \\\n\0%é+@,=*\u{202e}".chars() {
        let text = format!("a{found}b");
        assert_eq!(parse(&text), Err(StoreIdError::Character { id: text.clone(), found }));
    }
}

#[test]
fn a_refused_id_cannot_write_lines_into_a_log() {
    for text in ["a\nb".to_owned(), "\n".repeat(200), format!("a\u{1b}[31m{}", "x".repeat(200))] {
        let message = parse(&text).unwrap_err().to_string();
        assert!(!message.chars().any(char::is_control), "{message:?}");
    }
}

#[test]
fn from_parts_escapes_what_is_not_plain() {
    for (parts, id) in [
        (vec!["user", "a:b@example.org"], "user:a~3Ab~40example.org"),
        (vec!["project", "rusqlite/rusqlite"], "project:rusqlite~2Frusqlite"),
        (vec!["a", "..", "."], "a:.~2E:."),
        (vec!["a", "é~"], "a:~C3~A9~7E"),
        (vec!["A-b_c"], "A-b_c"),
    ] {
        assert_eq!(StoreId::from_parts(parts).unwrap().as_str(), id);
    }
    assert_eq!(StoreId::from_parts([""; 0]), Err(StoreIdError::Empty));
    assert_eq!(StoreId::from_parts(["a", ""]), Err(StoreIdError::EmptyPart { before: "a:".to_owned() }));
    assert!(StoreId::from_parts(["x".repeat(120)]).is_ok());
    assert!(matches!(StoreId::from_parts(["é".repeat(21)]), Err(StoreIdError::TooLong { bytes: 126, .. })));
}

proptest! {
    #[test]
    fn different_parts_never_make_the_same_id(one in vec(part(), 1..4), other in vec(part(), 1..4)) {
        // A first part that can stand first, so that most cases count.
        let id = |parts: &[String]| StoreId::from_parts(std::iter::once("x").chain(parts.iter().map(String::as_str)));
        if let (Ok(first), Ok(second)) = (id(&one), id(&other)) {
            prop_assert_eq!(one == other, first == second, "{:?} {:?} {}", one, other, first);
        }
    }

    #[test]
    fn what_from_parts_makes_is_an_id(parts in vec(part(), 1..4)) {
        match StoreId::from_parts(&parts) {
            Ok(id) => prop_assert_eq!(id.as_str().parse(), Ok(id.clone())),
            Err(StoreIdError::EmptyPart { .. }) => prop_assert!(parts.iter().any(String::is_empty)),
            Err(StoreIdError::TooLong { bytes, .. }) => prop_assert!(bytes > 120),
            Err(StoreIdError::Start { .. }) => prop_assert!(!parts[0].starts_with(|first: char| first.is_ascii_alphanumeric())),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn a_typed_key_reads_back_from_its_id_and_from_no_other(project in part(), issue: i64, user: u128) {
        let key = IssueKey { project: project.clone(), issue };
        if let Ok(id) = key.store_id() {
            prop_assert_eq!(IssueKey::from_store_id(&id), Ok(key));
            prop_assert!(FileKey::from_store_id(&id).is_err());
        }
        let key = FileKey { name: project, user: Uuid::from_u128(user) };
        if let Ok(id) = key.store_id() {
            prop_assert_eq!(FileKey::from_store_id(&id), Ok(key));
            prop_assert!(IssueKey::from_store_id(&id).is_err());
        }
    }

    #[test]
    fn an_id_that_reads_as_a_key_is_the_id_of_that_key(text in "project:([a-z.~0-9A-F]|~2F){1,6}:issue:-?0?[0-9]{1,3}(:x)?") {
        if let Ok(id) = text.parse::<StoreId>()
            && let Ok(key) = IssueKey::from_store_id(&id)
        {
            prop_assert_eq!(key.store_id(), Ok(id));
        }
    }
}

#[test]
fn an_id_of_another_kind_is_refused_with_the_pattern() {
    let error = IssueKey::from_store_id(&parse("issue:1").unwrap()).unwrap_err().to_string();
    assert!(error.contains("`issue:1`") && error.contains("`project:{project}:issue:{issue}`"), "{error}");
}
