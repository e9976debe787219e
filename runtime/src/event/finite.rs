//! Whether every float in a payload is finite: a serializer that writes nothing and stops at the first that is not.

use std::fmt;

use serde::{
    Serialize,
    ser::{self, Serializer},
};

/// Whether no float in `payload` is NaN or infinite.
pub(super) fn is_finite(payload: &impl Serialize) -> bool {
    !matches!(payload.serialize(Finite), Err(Stop::NotFinite))
}

/// Writes nothing.
#[derive(Clone, Copy)]
struct Finite;

/// Why the look at the payload ended early.
#[derive(Debug)]
enum Stop {
    NotFinite,
    /// The payload's own code refused; serde_json says so in better words.
    Refused,
}

impl fmt::Display for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotFinite => "a float is not finite",
            Self::Refused => "refused",
        })
    }
}

impl std::error::Error for Stop {}

impl ser::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Refused
    }
}

macro_rules! accept {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, _: $type) -> Result<(), Stop> {
            Ok(())
        }
    )*};
}

macro_rules! open {
    ($($method:ident($($argument:ty),*)),*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<Self, Stop> {
            Ok(self)
        }
    )*};
}

impl Serializer for Finite {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    accept!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_unit_struct: &'static str
    );

    open!(
        serialize_seq(Option<usize>),
        serialize_tuple(usize),
        serialize_tuple_struct(&'static str, usize),
        serialize_tuple_variant(&'static str, u32, &'static str, usize),
        serialize_map(Option<usize>),
        serialize_struct(&'static str, usize),
        serialize_struct_variant(&'static str, u32, &'static str, usize)
    );

    fn serialize_f32(self, value: f32) -> Result<(), Stop> {
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Stop> {
        if value.is_finite() { Ok(()) } else { Err(Stop::NotFinite) }
    }

    fn serialize_none(self) -> Result<(), Stop> {
        Ok(())
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Stop> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Stop> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Stop> {
        Ok(())
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Result<(), Stop> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        value.serialize(self)
    }
}

macro_rules! compound {
    ($($name:ident { $($method:ident($($argument:ty)?)),* }),*) => {$(
        impl ser::$name for Finite {
            type Ok = ();
            type Error = Stop;

            $(fn $method<T: ?Sized + Serialize>(&mut self, $(_: $argument,)? value: &T) -> Result<(), Stop> {
                value.serialize(*self)
            })*

            fn end(self) -> Result<(), Stop> {
                Ok(())
            }
        }
    )*};
}

compound!(
    SerializeSeq { serialize_element() },
    SerializeTuple { serialize_element() },
    SerializeTupleStruct { serialize_field() },
    SerializeTupleVariant { serialize_field() },
    SerializeMap { serialize_key(), serialize_value() },
    SerializeStruct { serialize_field(&'static str) },
    SerializeStructVariant { serialize_field(&'static str) }
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::is_finite;

    #[test]
    fn a_float_is_found_wherever_it_is() {
        assert!(is_finite(&(1.0, Some(2.0_f32), [0.0; 2])));
        assert!(!is_finite(&(1.0, Some(f32::NAN))));
        assert!(!is_finite(&vec![BTreeMap::from([("a", f64::NEG_INFINITY)])]));
        assert!(!is_finite(&Some(Box::new(f64::INFINITY))));
    }
}
