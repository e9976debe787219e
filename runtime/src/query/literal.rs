//! Values as SQL literals, exact to the last bit.

use std::fmt::Write;

use crate::value::Value;

/// Adds a literal.
pub(super) fn push(sql: &mut String, value: &Value) {
    // Writing to a `String` does not fail.
    let _ = match value {
        Value::Null => sql.write_str("NULL"),
        // The text of the smallest integer is a negated one that is out of range.
        Value::Integer(i64::MIN) => write!(sql, "({} - 1)", i64::MIN + 1),
        Value::Integer(number) => write!(sql, "{number}"),
        Value::Real(number) => write!(sql, "{}", real(*number)),
        Value::Text(text) if text.contains('\0') => write!(sql, "CAST({} AS TEXT)", hex(text.as_bytes())),
        Value::Text(text) => write!(sql, "'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => sql.write_str(&hex(bytes)),
    };
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2 + 3);
    text.push_str("X'");
    for byte in bytes {
        let _ = write!(text, "{byte:02X}");
    }
    text.push('\'');
    text
}

/// A decimal text would be rounded on its way back. An integer below 2^53 times or divided by powers of two is exact at each step.
fn real(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "9e999" } else { "-9e999" }.to_owned();
    }
    let bits = number.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
    let (mut mantissa, mut power) =
        if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    if mantissa == 0 {
        return "0.0".to_owned();
    }
    let zeros = mantissa.trailing_zeros();
    mantissa >>= zeros;
    power += zeros as i32;
    let sign = if number < 0.0 { "-" } else { "" };
    let mut text = format!("({sign}CAST({mantissa} AS REAL)");
    while power != 0 {
        let step = power.unsigned_abs().min(62);
        let operator = if power > 0 { '*' } else { '/' };
        let _ = write!(text, " {operator} {}", 1_u64 << step);
        power -= step as i32 * power.signum();
    }
    text.push(')');
    text
}
