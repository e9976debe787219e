//! How the wire writes a value that may be missing: `{"_tag":"None"}` or `{"_tag":"Some","value":..}`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(tag = "_tag")]
enum Tagged<T> {
    None,
    Some { value: T },
}

pub(crate) fn serialize<T: Serialize, S: Serializer>(option: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    let tagged = option.as_ref().map_or(Tagged::None, |value| Tagged::Some { value });
    tagged.serialize(serializer)
}

pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(match Tagged::deserialize(deserializer)? {
        Tagged::None => None,
        Tagged::Some { value } => Some(value),
    })
}
