//! Literals are the value, to the last bit.

use super::*;
use crate::query::literal;

fn round_trip(connection: &mut Connection, value: &Value) -> Value {
    let mut sql = "SELECT ".to_owned();
    literal::push(&mut sql, value);
    connection.value(&sql, &[]).expect("valid SQL").expect("a row")
}

#[test]
fn special_values() {
    let mut connection = database(&[]);
    let texts = ["", "'", "it's", "a\0b", "\0", "é日本", "--", "?"].map(|text| Value::Text(text.to_owned()));
    let numbers = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX].map(Value::Integer);
    let reals = [0.0, 1.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, f64::INFINITY, f64::NEG_INFINITY, 0.1, 1e23];
    let blobs = [vec![], vec![0, 255, 39]].map(Value::Blob);
    for value in texts.into_iter().chain(numbers).chain(reals.map(Value::Real)).chain(blobs).chain([Value::Null]) {
        assert_eq!(round_trip(&mut connection, &value), value);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_float(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        prop_assume!(!number.is_nan());
        let Value::Real(found) = round_trip(&mut database(&[]), &Value::Real(number)) else { panic!("a float") };
        prop_assert_eq!(found.to_bits(), number.to_bits());
    }
}
