//! One event as a line of JSON.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use super::salvage::Salvaged;
use crate::event::StoredEvent;

#[derive(Serialize)]
struct Line<'a> {
    number: String,
    name: &'a str,
    args: Option<Args<'a>>,
    client_id: Option<&'a str>,
    session_id: Option<&'a str>,
    id: Option<String>,
    sound: Option<bool>,
    /// Why it is in no log.
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantined: Option<&'a str>,
}

/// The arguments as they are, or as a text when they are no JSON any more.
#[derive(Serialize)]
#[serde(untagged)]
enum Args<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

fn args(text: &str) -> Args<'_> {
    match serde_json::from_str::<&RawValue>(text) {
        // A line end inside would end the line.
        Ok(json) if !text.contains(['\n', '\r']) => Args::Json(json),
        _ => Args::Text(text),
    }
}

/// An event of the log.
pub(super) fn write(out: &mut impl Write, row: &Salvaged, sound: Option<bool>) -> io::Result<()> {
    let line = Line {
        number: row.number.to_string(),
        name: &row.name,
        args: row.args.as_deref().map(args),
        client_id: row.author.as_ref().map(|(client, _)| client.as_str()),
        session_id: row.author.as_ref().map(|(_, session)| session.as_str()),
        id: row.id.map(|id| format!("{id:032x}")),
        sound,
        quarantined: None,
    };
    put(out, &line)
}

/// An event that a rebase has taken out of the log.
pub(super) fn write_quarantined(out: &mut impl Write, event: &StoredEvent, reason: &str) -> io::Result<()> {
    let line = Line {
        number: event.number.to_string(),
        name: &event.name,
        args: event.args.as_deref().map(args),
        client_id: Some(event.client_id.as_str()),
        session_id: Some(event.session_id.as_str()),
        id: event.id.map(|id| format!("{:032x}", id.0)),
        // No checksum covers it.
        sound: None,
        quarantined: Some(reason),
    };
    put(out, &line)
}

fn put(out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
