//! Reads activities from lines of JSON; what is wrong with a line has a type.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use larder::{StoreIdError, StoreKey, Timestamp, Uuid};
use serde::Deserialize;

use crate::stores::{IssueId, Kind, WorkspaceId};

/// Longest line, in bytes; a longer one is skipped without being held in memory.
pub const MAX_LINE_BYTES: usize = 128 * 1024;

/// Two whole projects, read when no input is named.
const SHIPPED: &[u8] = include_bytes!("../data/issues.jsonl");

/// One line: somebody opened, commented or closed an issue.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The workspace's store.
    pub workspace: WorkspaceId,
    /// The issue's store.
    pub issue: IssueId,
    /// What was done.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub author: String,
    /// The title of an opened issue, the body of a comment, else nothing.
    pub text: String,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Over [`MAX_LINE_BYTES`].
    #[error("the line is longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
    /// Bytes that are no text.
    #[error("the line is not UTF-8 text")]
    NotText,
    /// No JSON, or not the JSON of an activity.
    #[error("the line is not an activity: {0}")]
    NotAnActivity(String),
    /// A workspace or an issue that no store id can be made of.
    #[error("workspace `{workspace}` cannot name a store: {source}")]
    Workspace {
        /// The name in the line.
        workspace: String,
        /// Why not.
        source: StoreIdError,
    },
    /// An issue number below 1.
    #[error("issue {0} is not a number from 1 on")]
    Number(i64),
    /// Seconds that are no point in time.
    #[error("{0} is not a time in seconds since 1970")]
    Time(i64),
    /// An opened issue without a title.
    #[error("an opened issue needs a `title`")]
    NoTitle,
    /// A comment without a body.
    #[error("a comment needs a `body`")]
    NoBody,
    /// A second `opened` for an issue.
    #[error("issue {number} of `{workspace}` was opened already")]
    OpenedTwice {
        /// The workspace.
        workspace: String,
        /// The issue.
        number: i64,
    },
    /// An activity on an issue that nobody opened.
    #[error("issue {number} of `{workspace}` was not opened before")]
    NotOpened {
        /// The workspace.
        workspace: String,
        /// The issue.
        number: i64,
    },
}

/// The lines of an input, one at a time.
pub struct Lines {
    name: String,
    reader: Box<dyn BufRead>,
    total_bytes: Option<u64>,
    read_bytes: u64,
    number: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// The two projects that come with the program.
    pub fn shipped() -> Self {
        Self::new("the shipped data", Box::new(SHIPPED), Some(SHIPPED.len() as u64))
    }

    /// A file; `-` is the standard input.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::new("standard input", Box::new(BufReader::new(io::stdin())), None));
        }
        let file = File::open(path)?;
        let meta = file.metadata()?;
        let name = path.display().to_string();
        Ok(Self::new(&name, Box::new(BufReader::new(file)), meta.is_file().then_some(meta.len())))
    }

    /// Lines that are in memory.
    pub fn of_text(name: &str, text: impl Into<Vec<u8>>) -> Self {
        let text = text.into();
        let bytes = text.len() as u64;
        Self::new(name, Box::new(io::Cursor::new(text)), Some(bytes))
    }

    fn new(name: &str, reader: Box<dyn BufRead>, total_bytes: Option<u64>) -> Self {
        Self { name: name.to_owned(), reader, total_bytes, read_bytes: 0, number: 0, buffer: Vec::new() }
    }

    /// What the input is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The input's size in bytes, where it is known.
    pub fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    /// How many bytes were read so far.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// The next line that is not blank, with its number from 1 on; `None` at the end.
    ///
    /// # Errors
    /// When reading fails. A line that cannot be used is no such failure.
    pub fn next_line(&mut self) -> io::Result<Option<(u64, Result<Line, Reason>)>> {
        loop {
            self.buffer.clear();
            let limit = MAX_LINE_BYTES as u64 + 1;
            let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.read_bytes += read as u64;
            self.number += 1;
            if self.buffer.len() > MAX_LINE_BYTES {
                if self.buffer.last() != Some(&b'\n') {
                    self.read_bytes += self.reader.skip_until(b'\n')? as u64;
                }
                return Ok(Some((self.number, Err(Reason::TooLong))));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(Some((self.number, parse(&self.buffer))));
            }
        }
    }
}

/// The workspace of the first good line: of a file, or where none is named of the two projects that come with the program. Of what can be read
/// only once nothing is said.
pub fn first_workspace(path: Option<&Path>) -> Option<String> {
    let mut lines = match path {
        Some(path) if path.is_file() => Lines::open(path).ok()?,
        Some(_) => return None,
        None => Lines::shipped(),
    };
    while let Ok(Some((_, line))) = lines.next_line() {
        if let Ok(line) = line {
            return Some(line.workspace.name);
        }
    }
    None
}

#[derive(Deserialize)]
struct Fields {
    workspace: String,
    issue: i64,
    kind: KindName,
    at: i64,
    author: String,
    title: Option<String>,
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindName {
    Opened,
    Commented,
    Closed,
}

fn parse(bytes: &[u8]) -> Result<Line, Reason> {
    let text = std::str::from_utf8(bytes).map_err(|_| Reason::NotText)?;
    let fields: Fields = serde_json::from_str(text).map_err(|error| not_an_activity(&error))?;
    let (kind, text) = match fields.kind {
        KindName::Opened => (Kind::Opened, fields.title.ok_or(Reason::NoTitle)?),
        KindName::Commented => (Kind::Commented, fields.body.ok_or(Reason::NoBody)?),
        KindName::Closed => (Kind::Closed, String::new()),
    };
    if fields.issue < 1 {
        return Err(Reason::Number(fields.issue));
    }
    let at = Timestamp::from_second(fields.at).map_err(|_| Reason::Time(fields.at))?;
    let workspace = WorkspaceId { name: fields.workspace };
    let issue = IssueId { workspace: workspace.name.clone(), number: fields.issue };
    // Checked here, so that a name that cannot be a store id is a bad line, not a failed load.
    for id in [workspace.store_id(), issue.store_id()] {
        id.map_err(|source| Reason::Workspace { workspace: workspace.name.clone(), source })?;
    }
    Ok(Line { workspace, issue, kind, at, author: fields.author, text })
}

/// serde_json's words; each line is a text of its own, so that its line number says nothing.
fn not_an_activity(error: &serde_json::Error) -> Reason {
    Reason::NotAnActivity(error.to_string().replace(" at line 1 column ", " at column "))
}

impl Line {
    /// The id of this activity: a hash of what the line says, not of how it is written. `before` counts the equal lines before it in
    /// the same input, so that these are activities of their own.
    pub fn activity(&self, before: u32) -> Uuid {
        let mut hash = blake3::Hasher::new();
        for part in [&self.workspace.name, &self.author, &self.text] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let kind: u8 = match self.kind {
            Kind::Opened => 0,
            Kind::Commented => 1,
            Kind::Closed => 2,
        };
        hash.update(&[kind]);
        hash.update(&self.issue.number.to_le_bytes());
        hash.update(&self.at.as_second().to_le_bytes());
        hash.update(&before.to_le_bytes());
        let mut id = [0; 16];
        hash.finalize_xof().fill(&mut id);
        Uuid::from_bytes(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<(u64, Result<Line, Reason>)> {
        let mut lines = Lines::of_text("test", text);
        std::iter::from_fn(|| lines.next_line().expect("memory is readable")).collect()
    }

    fn reason(line: &str) -> String {
        match read(line.as_bytes()).remove(0).1 {
            Ok(line) => panic!("{line:?} is good"),
            Err(reason) => reason.to_string(),
        }
    }

    const GOOD: &str = r#"{"workspace":"a/b","issue":1,"kind":"opened","at":5,"author":"x","title":"t"}"#;

    #[test]
    fn every_bad_line_has_its_reason() {
        let with = |from: &str, to: &str| reason(&GOOD.replace(from, to));
        assert_eq!(reason("{"), "the line is not an activity: EOF while parsing an object at column 1");
        assert_eq!(with(r#""at":5,"#, ""), "the line is not an activity: missing field `at` at column 70");
        assert!(with("opened", "moved").contains("unknown variant `moved`"));
        assert_eq!(with(r#""issue":1"#, r#""issue":0"#), "issue 0 is not a number from 1 on");
        assert_eq!(with(":5,", ":999999999999999,"), "999999999999999 is not a time in seconds since 1970");
        assert_eq!(with("title", "body"), "an opened issue needs a `title`");
        assert_eq!(with("opened", "commented"), "a comment needs a `body`");
        assert!(with("a/b", "").starts_with("workspace `` cannot name a store: "));
        assert!(with("a/b", &"/".repeat(100)).contains("cannot name a store"));
        assert!(read(b"\xff\xfe\n")[0].1.as_ref().is_err_and(|reason| matches!(reason, Reason::NotText)));
    }

    #[test]
    fn a_long_line_is_skipped_and_the_next_one_read() {
        let mut text = vec![b'x'; 3 * MAX_LINE_BYTES];
        text.extend_from_slice(format!("\n\r\n{GOOD}").as_bytes());
        let lines = read(&text);
        assert!(matches!(lines[0], (1, Err(Reason::TooLong))));
        assert!(matches!(&lines[1], (3, Ok(line)) if line.text == "t"));
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn the_activity_is_what_the_line_says_not_how_it_is_written() {
        let spaced = GOOD.replace(':', ": ");
        let lines = read(format!("{GOOD}\n{spaced}\n{}", GOOD.replace("\"x\"", "\"y\"")).as_bytes());
        let ids: Vec<_> = lines.iter().map(|(_, line)| line.as_ref().expect("good").activity(0)).collect();
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
        assert_ne!(ids[0], lines[0].1.as_ref().expect("good").activity(1));
    }
}
