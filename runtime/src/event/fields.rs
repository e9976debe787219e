//! Payloads of named fields whose names and types say it all: written and read here, so that an event of a few fields is a line of
//! generated code, and not serde's derived code for a struct of its own.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
    forward_to_deserialize_any,
    ser::SerializeStruct,
};

use super::encode::{EventDecodeError, object};

/// The names of fields, in their order.
type Names = &'static [&'static str];

/// A tuple of references to fields, to write; for generated code.
#[doc(hidden)]
#[derive(Debug)]
pub struct Fields<T> {
    names: Names,
    values: T,
}

impl<T> Fields<T> {
    /// As many values as names.
    #[doc(hidden)]
    pub fn new(names: Names, values: T) -> Self {
        Self { names, values }
    }
}

/// A tuple of fields that is read; for generated code.
#[doc(hidden)]
pub trait ReadFields: Sized {
    /// Reads as many fields as there are names, whatever their order; others are passed over.
    fn read<'de, M: MapAccess<'de>>(names: Names, map: M) -> Result<Self, M::Error>;
}

/// The payload of a struct variant; for generated code.
///
/// # Errors
/// When the arguments are absent, no object, or do not fit.
#[doc(hidden)]
pub fn decode_fields<T: ReadFields>(args: Option<&str>, names: Names) -> Result<T, EventDecodeError> {
    let mut reader = serde_json::Deserializer::from_str(object(args)?);
    let fields = reader.deserialize_map(Reader(names, PhantomData))?;
    reader.end()?;
    Ok(fields)
}

struct Reader<T>(Names, PhantomData<fn() -> T>);

impl<'de, T: ReadFields> Visitor<'de> for Reader<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the fields of an event")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
        T::read(self.0, map)
    }
}

/// The place of a name among those that are read.
struct Place(Names);

impl<'de> DeserializeSeed<'de> for Place {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Place {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}

/// A field that is not there: an `Option` is `None` then, and all else is an error.
struct Missing<E>(&'static str, PhantomData<E>);

impl<'de, E: serde::de::Error> Deserializer<'de> for Missing<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, E> {
        Err(E::missing_field(self.0))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

fn found<'de, T: Deserialize<'de>, E: serde::de::Error>(value: Option<T>, name: &'static str) -> Result<T, E> {
    value.map_or_else(|| T::deserialize(Missing(name, PhantomData)), Ok)
}

/// Both ways for tuples of one length.
macro_rules! fields {
    ($count:literal: $($type:ident $value:ident $at:tt),+) => {
        impl<$($type: Serialize),+> Serialize for Fields<($($type,)+)> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut fields = serializer.serialize_struct("Event", $count)?;
                $(fields.serialize_field(self.names[$at], &self.values.$at)?;)+
                fields.end()
            }
        }

        impl<$($type: DeserializeOwned),+> ReadFields for ($($type,)+) {
            fn read<'de, M: MapAccess<'de>>(names: Names, mut map: M) -> Result<Self, M::Error> {
                $(let mut $value: Option<$type> = None;)+
                while let Some(place) = map.next_key_seed(Place(names))? {
                    match place {
                        $(Some($at) if $value.is_none() => $value = Some(map.next_value()?),)+
                        Some(again) => return Err(M::Error::duplicate_field(names[again])),
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(($(found($value, names[$at])?,)+))
            }
        }
    };
}

fields!(1: A a 0);
fields!(2: A a 0, B b 1);
fields!(3: A a 0, B b 1, C c 2);
fields!(4: A a 0, B b 1, C c 2, D d 3);
fields!(5: A a 0, B b 1, C c 2, D d 3, E e 4);
fields!(6: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5);
fields!(7: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6);
fields!(8: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7);
fields!(9: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7, I i 8);
fields!(10: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7, I i 8, J j 9);
fields!(11: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7, I i 8, J j 9, K k 10);
fields!(12: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7, I i 8, J j 9, K k 10, L l 11);

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = &["id", "title", "note"];

    type Three = (i64, String, Option<bool>);

    /// What serde derives for the same fields.
    #[derive(Serialize, Deserialize)]
    struct Derived {
        id: i64,
        title: String,
        note: Option<bool>,
    }

    #[test]
    fn fields_are_written_and_read_as_serde_does_for_a_struct() {
        let derived = serde_json::to_string(&Derived { id: 1, title: "t".to_owned(), note: None }).unwrap();
        assert_eq!(serde_json::to_string(&Fields::new(NAMES, (&1, &"t", &None::<bool>))).unwrap(), derived);
        for text in [
            derived.as_str(),
            r#"{"note":true,"id":2,"title":"x"}"#,
            r#"{"id":1,"title":"x"}"#,
            r#"{"id":1,"more":[{}],"title":"x","note":null}"#,
            r#"{"id":1,"title":"x","id":1}"#,
            r#"{"id":1}"#,
            r#"{}"#,
            r#"{"id":"1","title":"x"}"#,
            r#"{"id":1,"title":"x"} 1"#,
            r#"{"id":1,"title":"x""#,
            r#"{"id":1,"tit\u006ce":"x"}"#,
        ] {
            let ours = decode_fields::<Three>(Some(text), NAMES).map_err(|error| error.to_string());
            let theirs = serde_json::from_str::<Derived>(text).map(|Derived { id, title, note }| (id, title, note));
            assert_eq!(ours, theirs.map_err(|error| EventDecodeError::from(error).to_string()), "{text}");
        }
        assert!(decode_fields::<Three>(Some("[1,\"x\",null]"), NAMES).is_err());
        assert!(decode_fields::<Three>(None, NAMES).is_err());
    }
}
