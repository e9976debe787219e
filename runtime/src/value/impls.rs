//! [`ColumnValue`] for the types that larder knows by itself.

use jiff::Timestamp;
use uuid::Uuid;

use super::{ColumnType, ColumnValue, Encoded, NotNull, Storage, ValueError, ValueRef};

macro_rules! integers {
    ($($type:ident),*) => {$(
        impl ColumnValue for $type {
            const TYPE: ColumnType = ColumnType::new(Storage::Integer, stringify!($type));

            fn encode(&self) -> Result<Encoded<'_>, ValueError> {
                Ok(Encoded::Integer(i64::from(*self)))
            }

            fn decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
                let number = integer(value, stringify!($type))?;
                $type::try_from(number)
                    .map_err(|_| ValueError::OutOfRange { expected: stringify!($type), value: number.to_string() })
            }
        }

        impl NotNull for $type {}
    )*};
}

integers!(i8, i16, i32, i64, u8, u16, u32);

fn integer(value: ValueRef<'_>, expected: &'static str) -> Result<i64, ValueError> {
    match value {
        ValueRef::Integer(number) => Ok(number),
        other => Err(ValueError::Type { expected, found: other.storage_name() }),
    }
}

fn real(value: f64) -> Result<Encoded<'static>, ValueError> {
    if value.is_nan() { Err(ValueError::NotANumber) } else { Ok(Encoded::Real(value)) }
}

impl ColumnValue for f64 {
    const TYPE: ColumnType = ColumnType::new(Storage::Real, "f64");

    fn encode(&self) -> Result<Encoded<'_>, ValueError> {
        real(*self)
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        match value {
            ValueRef::Real(number) => Ok(number),
            other => Err(ValueError::Type { expected: "f64", found: other.storage_name() }),
        }
    }
}

impl NotNull for f64 {}

impl ColumnValue for f32 {
    const TYPE: ColumnType = ColumnType::new(Storage::Real, "f32");

    fn encode(&self) -> Result<Encoded<'_>, ValueError> {
        real(f64::from(*self))
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        let wide = f64::decode(value)?;
        let narrow = wide as f32;
        if f64::from(narrow) == wide {
            Ok(narrow)
        } else {
            Err(ValueError::OutOfRange { expected: "f32", value: wide.to_string() })
        }
    }
}

impl NotNull for f32 {}

impl ColumnValue for bool {
    const TYPE: ColumnType = ColumnType::new(Storage::Integer, "bool");

    fn encode(&self) -> Result<Encoded<'_>, ValueError> {
        Ok(Encoded::Integer(i64::from(*self)))
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        match integer(value, "bool")? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(ValueError::OutOfRange { expected: "bool", value: other.to_string() }),
        }
    }
}

impl NotNull for bool {}

impl ColumnValue for String {
    const TYPE: ColumnType = ColumnType::new(Storage::Text, "text");

    fn encode(&self) -> Result<Encoded<'_>, ValueError> {
        Ok(Encoded::Text(self.as_str().into()))
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        match value {
            ValueRef::Text(text) => Ok(text.to_owned()),
            other => Err(ValueError::Type { expected: "String", found: other.storage_name() }),
        }
    }
}

impl NotNull for String {}

impl ColumnValue for Vec<u8> {
    const TYPE: ColumnType = ColumnType::new(Storage::Blob, "bytes");

    fn encode(&self) -> Result<Encoded<'_>, ValueError> {
        Ok(Encoded::Blob(self.as_slice().into()))
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        match value {
            ValueRef::Blob(bytes) => Ok(bytes.to_owned()),
            other => Err(ValueError::Type { expected: "Vec<u8>", found: other.storage_name() }),
        }
    }
}

impl NotNull for Vec<u8> {}

impl ColumnValue for Timestamp {
    const TYPE: ColumnType = ColumnType::new(Storage::Integer, "timestamp");

    fn encode(&self) -> Result<Encoded<'_>, ValueError> {
        if self.subsec_nanosecond() % 1_000 != 0 {
            return Err(ValueError::TooFine(self.to_string()));
        }
        Ok(Encoded::Integer(self.as_microsecond()))
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        let micros = integer(value, "Timestamp")?;
        Timestamp::from_microsecond(micros)
            .map_err(|_| ValueError::OutOfRange { expected: "Timestamp", value: micros.to_string() })
    }
}

impl NotNull for Timestamp {}

impl ColumnValue for Uuid {
    const TYPE: ColumnType = ColumnType::new(Storage::Blob, "uuid");

    fn encode(&self) -> Result<Encoded<'_>, ValueError> {
        Ok(Encoded::Blob(self.as_bytes().as_slice().into()))
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        match value {
            ValueRef::Blob(bytes) => Uuid::from_slice(bytes).map_err(|error| ValueError::Invalid {
                expected: "Uuid",
                text: format!("{} bytes", bytes.len()),
                reason: error.to_string(),
            }),
            other => Err(ValueError::Type { expected: "Uuid", found: other.storage_name() }),
        }
    }
}

impl NotNull for Uuid {}

impl<T: NotNull> ColumnValue for Option<T> {
    const TYPE: ColumnType = T::TYPE.optional();

    fn encode(&self) -> Result<Encoded<'_>, ValueError> {
        self.as_ref().map_or(Ok(Encoded::Null), T::encode)
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        match value {
            ValueRef::Null => Ok(None),
            other => T::decode(other).map(Some),
        }
    }
}
