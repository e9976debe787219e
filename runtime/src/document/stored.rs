//! What is stored of a document: the fields that were changed, as JSON.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value as Json};

use super::Document;
use crate::{
    event::{EventDecodeError, EventEncodeError, EventInfo, json_text},
    seeded,
    storage::sqlite::Connection,
    store::{Applied, Unapplied},
    table::TableSchema,
    value::ValueRef,
};

/// The event that changes documents, of any schema. Its name and form are part of the disk format.
pub(crate) static CHANGED: EventInfo = EventInfo {
    name: "larder.DocumentChanged",
    variant: "",
    payload: "{document:String,id:String,set:Map}",
    client_only: true,
    deprecated: None,
    from: &[],
};

/// The fields of one document that are others now.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Changes {
    document: String,
    id: String,
    set: Map<String, Json>,
}

struct AsObject<'a, V>(&'a V);

impl<V: Document> Serialize for AsObject<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.__serialize(serializer)
    }
}

/// A value's fields. What JSON cannot say, such as NaN, is an error.
fn object<V: Document>(value: &V) -> Result<Map<String, Json>, EventEncodeError> {
    Ok(serde_json::from_str(&json_text(&AsObject(value))?)?)
}

/// The fields of a row's JSON. One that is damaged is none: it is made anew with the next rebuild.
pub(super) fn fields(value: ValueRef<'_>) -> Option<Map<String, Json>> {
    match value {
        ValueRef::Text(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

/// The default with these fields. Those that do not fit the struct any more keep their default.
pub(super) fn value<V: Document>(changed: Map<String, Json>) -> V {
    let Ok(mut fields) = object(&V::default()) else { return V::default() };
    let read = |fields: &Map<String, Json>| V::__deserialize(Json::Object(fields.clone())).ok();
    let mut whole = fields.clone();
    whole.extend(changed.clone());
    if let Some(value) = read(&whole) {
        return value;
    }
    for (name, field) in changed {
        let before = fields.insert(name.clone(), field);
        if read(&fields).is_none() {
            match before {
                Some(before) => drop(fields.insert(name, before)),
                None => drop(fields.remove(&name)),
            }
        }
    }
    read(&fields).unwrap_or_default()
}

impl Changes {
    /// What makes `after` of `before`; `None` when nothing does.
    pub(crate) fn between<V: Document>(id: &str, before: &V, after: &V) -> Result<Option<Self>, EventEncodeError> {
        let (before, mut after) = (object(before)?, object(after)?);
        // A field that is left out now, as `skip_serializing_if` may say, has no value.
        for name in before.keys() {
            after.entry(name.clone()).or_insert(Json::Null);
        }
        if !seeded::bug("document-change-is-whole") {
            after.retain(|name, field| before.get(name) != Some(field));
        }
        let (document, id) = (V::__table().name.to_owned(), id.to_owned());
        Ok((!after.is_empty()).then_some(Self { document, id, set: after }))
    }

    /// The arguments of the event.
    pub(crate) fn text(&self) -> Result<String, EventEncodeError> {
        json_text(self)
    }
}

/// Applies a stored event to the documents of a schema.
pub(crate) fn apply(
    documents: &[&'static TableSchema],
    args: Option<&str>,
    connection: &mut Connection,
) -> Result<Applied, Unapplied> {
    let text = args.ok_or(EventDecodeError::Shape("it has none, and a changed document has some"));
    let changes = text.and_then(|text| Ok(serde_json::from_str::<Changes>(text)?)).map_err(Unapplied::Decode)?;
    let Some(table) = documents.iter().find(|table| table.name == changes.document) else {
        return Ok(Applied::Unknown);
    };
    let id = ValueRef::Text(&changes.id);
    let before = connection.row(&table.statements().select_by_key, &[id], |row| Ok(fields(row.value(1))));
    let mut fields = before.map_err(Unapplied::Sqlite)?.flatten().unwrap_or_default();
    fields.extend(changes.set);
    let text = Json::Object(fields).to_string();
    let written = connection.write_row(table, &table.statements().upsert, [id, ValueRef::Text(&text)].into_iter());
    written.map(|_| Applied::Yes).map_err(Unapplied::Sqlite)
}
