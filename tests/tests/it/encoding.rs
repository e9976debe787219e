//! The encodings on disk and on the wire, pinned: what is written today must read the same for ever.

use std::collections::BTreeMap;

use larder::{
    EventDecodeError, EventEncodeError, Value, ValueError,
    prelude::*,
    serde::{Deserialize, Serialize},
};

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(crate = "larder::serde")]
enum Label {
    Bug,
    Other(String),
}

mod seconds {
    use larder::serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(millis: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        (millis / 1_000).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        i64::deserialize(deserializer).map(|seconds| seconds * 1_000)
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[derive(Event, Clone, Debug, PartialEq)]
enum Pinned {
    #[event(name = "v1.Struct")]
    Struct { number: i64, title: String, done: bool, weight: f64, at: Timestamp, id: Uuid, by: Option<String> },
    #[event(name = "v1.Nested")]
    Nested { labels: Vec<Label>, counts: BTreeMap<String, u32>, bytes: Vec<u8>, pair: (i64, char) },
    #[event(name = "v1.Attributes")]
    Attributes {
        #[serde(rename = "camelCase")]
        snake_case: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        absent: Option<i64>,
        #[serde(default, skip_serializing_if = "is_zero")]
        zero: i64,
        #[serde(with = "seconds")]
        millis: i64,
        #[serde(serialize_with = "seconds::serialize", deserialize_with = "seconds::deserialize")]
        same: i64,
        #[serde(skip)]
        skipped: i64,
        #[serde(flatten)]
        more: BTreeMap<String, i64>,
    },
    #[event(name = "v1.Newtype")]
    Newtype(i64),
    #[event(name = "v1.OptionalNewtype")]
    OptionalNewtype(Option<i64>),
    #[event(name = "v1.NewtypeWith")]
    NewtypeWith(#[serde(with = "seconds")] i64),
    #[event(name = "v1.NoFields")]
    NoFields {},
    #[event(name = "v1.Unit")]
    Unit,
    #[event(name = "v1.Raw")]
    Raw { r#type: String },
    #[event(name = "v1.Json")]
    Json { value: Json<Vec<f64>>, any: serde_json::Value },
}

#[track_caller]
fn pin(event: Pinned, name: &str, args: Option<&str>) {
    assert_eq!(Pinned::EVENTS[event.index()].name, name);
    assert_eq!(event.encode().expect("it encodes").as_deref(), args);
    assert_eq!(Pinned::decode(name, args).expect("it decodes"), Some(event));
}

#[test]
fn args_of_a_struct_variant_are_an_object_in_the_order_of_its_fields() {
    let event = Pinned::Struct {
        number: -7,
        title: "say \"hi\"\n\u{1f600}/\u{7f}".to_owned(),
        done: true,
        weight: 1.0,
        at: "2026-11-02T03:04:05.000006Z".parse().expect("a timestamp"),
        id: Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        by: None,
    };
    let args = "{\"number\":-7,\"title\":\"say \\\"hi\\\"\\n\u{1f600}/\u{7f}\",\"done\":true,\"weight\":1.0,\
        \"at\":\"2026-11-02T03:04:05.000006Z\",\"id\":\"01234567-89ab-cdef-0123-456789abcdef\",\"by\":null}";
    pin(event, "v1.Struct", Some(args));
    pin(Pinned::NoFields {}, "v1.NoFields", Some("{}"));
    pin(Pinned::Raw { r#type: "a".to_owned() }, "v1.Raw", Some(r#"{"type":"a"}"#));
}

#[test]
fn args_of_nested_types_are_what_serde_says() {
    let event = Pinned::Nested {
        labels: vec![Label::Bug, Label::Other("x".to_owned())],
        counts: BTreeMap::from([("b".to_owned(), 2), ("a".to_owned(), u32::MAX)]),
        bytes: vec![0, 255],
        pair: (i64::MIN, 'ß'),
    };
    let args = r#"{"labels":["Bug",{"Other":"x"}],"counts":{"a":4294967295,"b":2},"bytes":[0,255],"pair":[-9223372036854775808,"ß"]}"#;
    pin(event, "v1.Nested", Some(args));
}

#[test]
fn field_attributes_of_serde_are_forwarded() {
    let event = Pinned::Attributes {
        snake_case: 1,
        absent: None,
        zero: 0,
        millis: 2_000,
        same: 3_000,
        skipped: 0,
        more: BTreeMap::from([("x".to_owned(), 4)]),
    };
    pin(event, "v1.Attributes", Some(r#"{"camelCase":1,"millis":2,"same":3,"x":4}"#));
    let event = Pinned::Attributes {
        snake_case: 1,
        absent: Some(5),
        zero: 6,
        millis: 0,
        same: 0,
        skipped: 0,
        more: BTreeMap::new(),
    };
    pin(event, "v1.Attributes", Some(r#"{"camelCase":1,"absent":5,"zero":6,"millis":0,"same":0}"#));
}

#[test]
fn args_of_a_newtype_variant_are_its_value() {
    pin(Pinned::Newtype(i64::MAX), "v1.Newtype", Some("9223372036854775807"));
    pin(Pinned::OptionalNewtype(Some(1)), "v1.OptionalNewtype", Some("1"));
    pin(Pinned::OptionalNewtype(None), "v1.OptionalNewtype", Some("null"));
    pin(Pinned::NewtypeWith(4_000), "v1.NewtypeWith", Some("4"));
}

#[test]
fn args_of_a_unit_variant_are_absent() {
    pin(Pinned::Unit, "v1.Unit", None);
    // What a backend of LiveStore 0.4 makes of absent ones.
    assert_eq!(Pinned::decode("v1.Unit", Some("null")).expect("as good as absent"), Some(Pinned::Unit));
}

#[test]
fn args_that_do_not_fit_are_a_typed_error() {
    let refused = |name, args| Pinned::decode(name, args).expect_err("it does not fit");
    assert!(matches!(refused("v1.Unit", Some("{}")), EventDecodeError::Shape(_)));
    assert!(matches!(refused("v1.Newtype", None), EventDecodeError::Shape(_)));
    assert!(matches!(refused("v1.Raw", None), EventDecodeError::Shape(_)));
    assert!(matches!(refused("v1.Raw", Some(r#"["a"]"#)), EventDecodeError::Shape(_)));
    assert!(matches!(refused("v1.Raw", Some("{}")), EventDecodeError::Serde(_)));
    assert!(matches!(refused("v1.Raw", Some(r#"{"type":1}"#)), EventDecodeError::Serde(_)));
    assert!(matches!(refused("v1.Raw", Some(r#"{"type":"a"} x"#)), EventDecodeError::Serde(_)));
    assert!(matches!(refused("v1.Newtype", Some("9223372036854775808")), EventDecodeError::Serde(_)));
    assert!(matches!(refused("v1.Newtype", Some("1.5")), EventDecodeError::Serde(_)));
    assert!(matches!(Pinned::decode("v9.Unknown", Some("{}")), Ok(None)));
}

#[test]
fn a_float_that_is_not_finite_is_refused_wherever_it_stands() {
    let json = |floats: Vec<f64>| Pinned::Json { value: Json(floats), any: serde_json::Value::Null };
    pin(json(vec![0.1, -0.0, 1e300]), "v1.Json", Some(r#"{"value":[0.1,-0.0,1e+300],"any":null}"#));
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(json(vec![1.0, float]).encode(), Err(EventEncodeError::NotFinite)));
    }
}

#[test]
fn arguments_too_deep_to_be_read_again_are_refused() {
    let nested = |depth| {
        let any = (0..depth).fold(serde_json::Value::Null, |inner, _| serde_json::Value::Array(vec![inner]));
        Pinned::Json { value: Json(Vec::new()), any }
    };
    let deepest = nested(63);
    let args = deepest.encode().expect("63 arrays in an object");
    assert_eq!(Pinned::decode("v1.Json", args.as_deref()).expect("it reads back"), Some(deepest));
    assert!(matches!(nested(64).encode(), Err(EventEncodeError::TooDeep { limit: 64 })));
    assert!(matches!(nested(5_000).encode(), Err(EventEncodeError::TooDeep { .. })));
    let hostile = format!("{{\"value\":[],\"any\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(matches!(Pinned::decode("v1.Json", Some(&hostile)), Err(EventDecodeError::Serde(_))));
}

#[derive(ColumnValue, Clone, Copy, Debug, PartialEq)]
enum Status {
    Open,
    #[column(name = "in-progress")]
    InProgress,
}

#[derive(ColumnValue, Clone, Debug, PartialEq)]
struct Score(f64);

#[track_caller]
fn column<V: ColumnValue + PartialEq + std::fmt::Debug>(value: V, stored: Value, encoding: &str) {
    assert_eq!(V::TYPE.encoding, encoding);
    assert_eq!(value.encode().expect("it encodes").into_owned(), stored);
    assert_eq!(V::decode(stored.as_ref()).expect("it decodes"), value);
}

#[test]
fn column_values_are_stored_like_this() {
    column(i64::MIN, Value::Integer(i64::MIN), "i64");
    column(i8::MIN, Value::Integer(-128), "i8");
    column(i16::MIN, Value::Integer(-32_768), "i16");
    column(i32::MIN, Value::Integer(-2_147_483_648), "i32");
    column(u8::MAX, Value::Integer(255), "u8");
    column(u16::MAX, Value::Integer(65_535), "u16");
    column(u32::MAX, Value::Integer(4_294_967_295), "u32");
    column(1.5_f64, Value::Real(1.5), "f64");
    column(0.1_f32, Value::Real(f64::from(0.1_f32)), "f32");
    column(true, Value::Integer(1), "bool");
    column(false, Value::Integer(0), "bool");
    column("a".to_owned(), Value::Text("a".to_owned()), "text");
    column(vec![0_u8, 1], Value::Blob(vec![0, 1]), "bytes");
    column("1970-01-01T00:00:01.000002Z".parse::<Timestamp>().expect("a time"), Value::Integer(1_000_002), "timestamp");
    column(Uuid::from_u128(1), Value::Blob(vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "uuid");
    column(Json(vec![1, 2]), Value::Text("[1,2]".to_owned()), "json");
    column(Status::Open, Value::Text("Open".to_owned()), "enum");
    column(Status::InProgress, Value::Text("in-progress".to_owned()), "enum");
    column(Score(2.0), Value::Real(2.0), "f64");
    column(None::<Status>, Value::Null, "enum");
    column(Some(Score(f64::INFINITY)), Value::Real(f64::INFINITY), "f64");
}

#[test]
fn a_stored_value_of_another_type_is_a_typed_error() {
    assert!(matches!(Score(f64::NAN).encode(), Err(ValueError::NotANumber)));
    let unknown = Status::decode(Value::Text("Opn".to_owned()).as_ref()).expect_err("no such variant");
    assert_eq!(unknown.to_string(), "`Opn` is not a value of `Status`: it is none of its variants: Open, in-progress");
    assert!(matches!(Status::decode(Value::Integer(0).as_ref()), Err(ValueError::Type { .. })));
    assert!(matches!(bool::decode(Value::Integer(2).as_ref()), Err(ValueError::OutOfRange { .. })));
    assert!(matches!(u8::decode(Value::Integer(256).as_ref()), Err(ValueError::OutOfRange { .. })));
    let fine = "2026-01-01T00:00:00.000000001Z".parse::<Timestamp>().expect("a time");
    assert!(matches!(fine.encode(), Err(ValueError::TooFine(_))));
}

#[test]
fn a_json_column_refuses_what_it_could_not_read_back() {
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let message = Json(vec![1.0, float]).encode().expect_err("JSON has no such number").to_string();
        assert!(message.contains("NaN or infinite"), "{message}");
    }
    column(Json(vec![None, Some(1.5)]), Value::Text("[null,1.5]".to_owned()), "json");
    let nested =
        |depth| Json((0..depth).fold(serde_json::Value::Null, |inner, _| serde_json::Value::Array(vec![inner])));
    let deepest = nested(64).encode().expect("64 arrays").into_owned();
    assert_eq!(Json::decode(deepest.as_ref()).expect("they read back"), nested(64));
    for depth in [65, 128, 5_000] {
        let message = nested(depth).encode().expect_err("too deep").to_string();
        assert!(message.contains("more than 64"), "{message}");
    }
}
