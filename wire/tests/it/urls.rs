//! URLs of TypeScript clients.

use larder_wire::{Payload, Query, QueryError, StoreId, Transport};
use proptest::prelude::*;
use serde_json::json;

use crate::strategies::value;

proptest! {
    #[test]
    fn a_query_is_read_as_it_was_written(payload in value()) {
        let query = Query {
            store_id: Some(StoreId::new("issue:1~2").expect("an id")),
            payload: Some(Payload(payload.clone())),
            transport: Some(Transport::Http),
        };
        prop_assert_eq!(Query::parse(&query.encode()), Ok(query));
        let header = Payload(payload.clone()).to_header();
        prop_assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        prop_assert_eq!(Payload::from_header(&header), Ok(Payload(payload)));
    }
}

#[test]
fn a_payload_is_encoded_twice_as_livestore_does_and_once_is_understood() {
    let expected = Some(Payload(json!({ "authToken": "a %+&=\u{e9}" })));
    let twice = Query { store_id: None, payload: expected.clone(), transport: None }.encode();
    assert_eq!(twice, "payload=%257B%2522authToken%2522%253A%2522a%2520%2525%252B%2526%253D%25C3%25A9%2522%257D");
    assert_eq!(Query::parse(&twice).map(|query| query.payload), Ok(expected));
    let once = Query::parse("payload=%7B%22authToken%22%3A%22a%22%7D").map(|query| query.payload);
    assert_eq!(once, Ok(Some(Payload(json!({ "authToken": "a" })))));
}

#[test]
fn what_is_wrong_is_named_without_its_value() {
    let cases = [
        ("storeId=", "`storeId`: the store id is empty"),
        ("storeId=..%2Fcanary", "`storeId`: the store id has a byte at 2"),
        ("payload=canary", "`payload` is no JSON"),
        ("transport=canary", "`transport` is neither"),
        ("storeId=%canary", "the query is not percent-encoded"),
        ("storeId=%ff", "the query is not percent-encoded"),
    ];
    for (query, said) in cases {
        let error = Query::parse(query).expect_err("an error").to_string();
        assert!(error.starts_with(said) && !error.contains("canary"), "{query}: {error}");
    }
    assert_eq!(Query::parse("a=b&&c"), Ok(Query { store_id: None, payload: None, transport: None }));
    assert_eq!(Query::parse("transport=%77s"), Err(QueryError::Transport));
    let deep = format!("payload={}", "%255B".repeat(100));
    assert_eq!(Query::parse(&deep), Err(QueryError::Payload));
}

#[test]
fn a_payload_is_in_no_debug_output() {
    let query = Query::parse("payload=%7B%22authToken%22%3A%22canary%22%7D").expect("a query");
    assert!(!format!("{query:?}").contains("canary"));
}
