//! The import by hand: a loop over the lines, the stores of the last issues kept open, one commit per store and line.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    error::Error,
    path::{Path, PathBuf},
};

use issues::{
    input::{Line, Lines},
    stores::Kind,
};
use larder::{StoreKey, Uuid};
use rusqlite::{Connection, params};
use serde::Serialize;

use super::file::{Author, Store, catalog};

const ISSUE_TABLES: &str = r#"
CREATE TABLE "activities" (
  "id" BLOB NOT NULL,
  "place" INTEGER NOT NULL,
  "kind" TEXT NOT NULL,
  "author" TEXT NOT NULL,
  "at" INTEGER NOT NULL,
  "body" TEXT,
  PRIMARY KEY ("id")
) STRICT, WITHOUT ROWID;
CREATE TABLE "issue" (
  "number" INTEGER PRIMARY KEY NOT NULL,
  "title" TEXT NOT NULL,
  "state" TEXT NOT NULL
) STRICT;
"#;

const WORKSPACE_TABLES: &str = r#"
CREATE TABLE "applied" (
  "activity" BLOB NOT NULL,
  PRIMARY KEY ("activity")
) STRICT, WITHOUT ROWID;
CREATE TABLE "headlines" (
  "number" INTEGER PRIMARY KEY NOT NULL,
  "title" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "comments" INTEGER NOT NULL,
  "last_activity" INTEGER NOT NULL
) STRICT;
"#;

/// Imports all lines into an empty folder. Returns how many activities were committed and how many stores were opened.
pub(crate) fn import(folder: &Path, lines: &mut Lines, capacity: usize) -> Result<(u64, u64), Box<dyn Error>> {
    let author = Author { client: Uuid::new_v4().simple().to_string(), session: Uuid::new_v4().simple().to_string() };
    let catalog = catalog(folder)?;
    let folder = folder.join("stores");
    let mut stores =
        Stores { folder, catalog, author, capacity, open: HashMap::new(), by_use: BTreeMap::new(), uses: 0, opened: 0 };
    let mut workspaces: HashMap<String, (Store, HashSet<Uuid>)> = HashMap::new();
    let (mut equal_lines, mut activities): (HashMap<Uuid, u32>, u64) = Default::default();
    while let Some((number, line)) = lines.next_line()? {
        let line = line.map_err(|reason| format!("line {number}: {reason}"))?;
        let before = equal_lines.entry(line.activity(0)).or_insert(0);
        let activity = line.activity(*before);
        *before += 1;
        if !workspaces.contains_key(&line.workspace.name) {
            let id = line.workspace.store_id()?;
            let store = stores.make("workspace", id.as_str(), WORKSPACE_TABLES)?;
            workspaces.insert(line.workspace.name.clone(), (store, HashSet::new()));
        }
        let Some((workspace, applied)) = workspaces.get_mut(&line.workspace.name) else { continue };
        if !applied.insert(activity) {
            continue;
        }
        commit_issue(stores.issue(line.issue.store_id()?.as_str())?, &line, activity)?;
        commit_headline(workspace, &line, activity)?;
        activities += 1;
    }
    for (store, _) in workspaces.into_values() {
        store.close()?;
    }
    let opened = stores.opened;
    stores.close()?;
    Ok((activities, opened))
}

fn commit_issue(store: &mut Store, line: &Line, activity: Uuid) -> Result<(), Box<dyn Error>> {
    let Line { issue, kind, at, author, text, .. } = line;
    let place = store.next() as i64;
    let micros = at.as_microsecond();
    let insert = |connection: &Connection, kind: &str, body: Option<&str>| {
        connection
            .prepare_cached(r#"INSERT INTO activities (id, place, kind, author, at, body) VALUES (?, ?, ?, ?, ?, ?)"#)?
            .execute(params![activity.as_bytes(), place, kind, author, micros, body])
    };
    match kind {
        Kind::Opened => {
            let args = json(&Opened { number: issue.number, title: text, author, at: at.to_string(), activity })?;
            store.commit("v1.IssueOpened", &args, |connection| {
                insert(connection, "Opened", None)?;
                let sql = "INSERT INTO issue (number, title, state) VALUES (?, ?, 'Open')";
                connection.prepare_cached(sql)?.execute(params![issue.number, text]).map(drop)
            })
        }
        Kind::Commented => {
            let args = json(&Commented { body: text, author, at: at.to_string(), activity })?;
            store.commit("v1.IssueCommented", &args, |connection| insert(connection, "Commented", Some(text)).map(drop))
        }
        Kind::Closed => {
            let args = json(&Closed { author, at: at.to_string(), activity })?;
            store.commit("v1.IssueClosed", &args, |connection| {
                insert(connection, "Closed", None)?;
                connection.prepare_cached("UPDATE issue SET state = 'Closed'")?.execute([]).map(drop)
            })
        }
    }
}

fn commit_headline(store: &mut Store, line: &Line, activity: Uuid) -> Result<(), Box<dyn Error>> {
    let Line { issue, kind, at, text, .. } = line;
    let number = issue.number;
    let micros = at.as_microsecond();
    let applied = |connection: &Connection| {
        connection.prepare_cached("INSERT INTO applied (activity) VALUES (?)")?.execute([activity.as_bytes()])
    };
    match kind {
        Kind::Opened => {
            let args = json(&HeadlineOpened { number, title: text, at: at.to_string(), activity })?;
            store.commit("v1.IssueOpened", &args, |connection| {
                applied(connection)?;
                let sql =
                    "INSERT INTO headlines (number, title, state, comments, last_activity) VALUES (?, ?, 'Open', 0, ?)";
                connection.prepare_cached(sql)?.execute(params![number, text, micros]).map(drop)
            })
        }
        Kind::Commented => {
            let args = json(&HeadlineChanged { number, at: at.to_string(), activity })?;
            store.commit("v1.IssueCommented", &args, |connection| {
                applied(connection)?;
                let sql = "UPDATE headlines SET comments = comments + 1, last_activity = max(last_activity, ?) WHERE number = ?";
                connection.prepare_cached(sql)?.execute(params![micros, number]).map(drop)
            })
        }
        Kind::Closed => {
            let args = json(&HeadlineChanged { number, at: at.to_string(), activity })?;
            store.commit("v1.IssueClosed", &args, |connection| {
                applied(connection)?;
                let sql =
                    "UPDATE headlines SET state = 'Closed', last_activity = max(last_activity, ?) WHERE number = ?";
                connection.prepare_cached(sql)?.execute(params![micros, number]).map(drop)
            })
        }
    }
}

#[derive(Serialize)]
struct Opened<'a> {
    number: i64,
    title: &'a str,
    author: &'a str,
    at: String,
    activity: Uuid,
}

#[derive(Serialize)]
struct Commented<'a> {
    body: &'a str,
    author: &'a str,
    at: String,
    activity: Uuid,
}

#[derive(Serialize)]
struct Closed<'a> {
    author: &'a str,
    at: String,
    activity: Uuid,
}

#[derive(Serialize)]
struct HeadlineOpened<'a> {
    number: i64,
    title: &'a str,
    at: String,
    activity: Uuid,
}

#[derive(Serialize)]
struct HeadlineChanged {
    number: i64,
    at: String,
    activity: Uuid,
}

fn json(args: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(args)
}

/// The open issues' stores, the longest unused closed first.
struct Stores {
    folder: PathBuf,
    catalog: Connection,
    author: Author,
    capacity: usize,
    open: HashMap<String, (Store, u64)>,
    by_use: BTreeMap<u64, String>,
    uses: u64,
    opened: u64,
}

impl Stores {
    /// The store of an issue, opened if it is not open.
    fn issue(&mut self, id: &str) -> Result<&mut Store, Box<dyn Error>> {
        self.uses += 1;
        if !self.open.contains_key(id) {
            if self.open.len() >= self.capacity
                && let Some((_, oldest)) = self.by_use.pop_first()
                && let Some((store, _)) = self.open.remove(&oldest)
            {
                store.close()?;
            }
            let store = self.make("issue", id, ISSUE_TABLES)?;
            self.open.insert(id.to_owned(), (store, 0));
        }
        let (store, used) = self.open.get_mut(id).ok_or("just inserted")?;
        self.by_use.remove(used);
        *used = self.uses;
        self.by_use.insert(self.uses, id.to_owned());
        Ok(store)
    }

    /// Opens a store; a new one is in the catalog before its file is made.
    fn make(&mut self, definition: &str, id: &str, tables: &str) -> Result<Store, Box<dyn Error>> {
        let file = format!("{definition}/{}.db", blake3::hash(id.as_bytes()).to_hex());
        self.catalog
            .prepare_cached("INSERT OR IGNORE INTO stores (definition, id, file, unsent) VALUES (?, ?, ?, 0)")?
            .execute([definition, id, &file])?;
        self.opened += 1;
        Store::open(&self.folder.join(file), definition, id, tables, &self.author)
    }

    fn close(self) -> Result<(), Box<dyn Error>> {
        for (store, _) in self.open.into_values() {
            store.close()?;
        }
        self.catalog.close().map_err(|(_, error)| error.into())
    }
}
