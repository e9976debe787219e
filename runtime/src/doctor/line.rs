//! One event as a line of JSON.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use super::salvage::Salvaged;

#[derive(Serialize)]
struct Line<'a> {
    number: String,
    name: &'a str,
    args: Option<Args<'a>>,
    client_id: Option<&'a str>,
    session_id: Option<&'a str>,
    id: Option<String>,
    sound: Option<bool>,
}

/// The arguments as they are, or as a text when they are no JSON any more.
#[derive(Serialize)]
#[serde(untagged)]
enum Args<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

pub(super) fn write(out: &mut impl Write, row: &Salvaged, sound: Option<bool>) -> io::Result<()> {
    let args = row.args.as_deref().map(|text| match serde_json::from_str::<&RawValue>(text) {
        // A line end inside would end the line.
        Ok(json) if !text.contains(['\n', '\r']) => Args::Json(json),
        _ => Args::Text(text),
    });
    let line = Line {
        number: row.number.to_string(),
        name: &row.name,
        args,
        client_id: row.author.as_ref().map(|(client, _)| client.as_str()),
        session_id: row.author.as_ref().map(|(_, session)| session.as_str()),
        id: row.id.map(|id| format!("{id:032x}")),
        sound,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}
