//! What must hold after a stop, whatever it left.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use larder::{Durability, Loss, NoIndex};
use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Runtime;

use crate::{
    import::ToldOfImport,
    ledger::{Booked, Booking, Ledger, Sum},
    player::Player,
    script::{Generation, Note},
    server::Ordered,
    shelf,
    synced::{self, SYNCED},
    trace::Op,
};

/// What a workload was told up to a stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Told {
    stores: BTreeMap<String, ToldOfStore>,
    backups: BTreeMap<String, (String, BTreeMap<i64, i64>)>,
    import: Option<ToldOfImport>,
    /// The projection was opened.
    projects: bool,
    /// What the server of the synced ledger has ordered.
    server: Vec<Ordered>,
}

/// What a workload was told of one store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct ToldOfStore {
    generation: Generation,
    /// The last counter of each writer whose commit returned.
    acknowledged: BTreeMap<i64, i64>,
    /// The last change of the settings that returned.
    set: i64,
}

impl Told {
    /// Hears what a call of a recording says, if it says something.
    pub fn hear_op(&mut self, op: &Op) {
        if let Op::Note(note) = op {
            self.hear(note);
        }
    }

    /// Hears a note.
    pub fn hear(&mut self, note: &Note) {
        match note {
            Note::Opens { store, generation } => {
                self.stores.entry(store.clone()).or_default().generation = *generation;
            }
            Note::Acknowledged { store, writer, counter } => {
                let acknowledged = &mut self.stores.entry(store.clone()).or_default().acknowledged;
                let known = acknowledged.entry(*writer).or_default();
                *known = counter.max(known).to_owned();
            }
            Note::Set { store, counter } => {
                let known = &mut self.stores.entry(store.clone()).or_default().set;
                *known = counter.max(known).to_owned();
            }
            Note::Projects => self.projects = true,
            Note::Ordered { events } => self.server.extend_from_slice(events),
            Note::BackedUp { store, path } => {
                let acknowledged = self.stores.get(store).map(|told| told.acknowledged.clone()).unwrap_or_default();
                self.backups.insert(path.clone(), (store.clone(), acknowledged));
            }
            Note::Imports { text } => {
                self.import.get_or_insert_with(|| ToldOfImport::begun(text));
            }
            Note::Imported { lines } => self.import.iter_mut().for_each(|import| import.hear(*lines)),
        }
    }

    /// The counters that writers of a store were told of.
    pub(crate) fn acknowledged(&self, store: &str) -> BTreeMap<i64, i64> {
        self.stores.get(store).map(|told| told.acknowledged.clone()).unwrap_or_default()
    }

    /// Which app opened a store last.
    pub(crate) fn generation(&self, store: &str) -> Generation {
        self.stores.get(store).map(|told| told.generation).unwrap_or_default()
    }

    /// What the server of the synced ledger has ordered.
    pub(crate) fn server(&self) -> &[Ordered] {
        &self.server
    }

    /// The same, and the server has ordered this.
    pub(crate) fn with_server(self, server: Vec<Ordered>) -> Self {
        Self { server, ..self }
    }

    /// Whether an import has begun.
    pub(crate) fn has_import(&self) -> bool {
        self.import.is_some()
    }

    /// The ledgers.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &String> {
        self.stores.keys()
    }

    /// Which app opens each store, and what it meets.
    pub(crate) fn apps(&self) -> String {
        let import = if self.import.is_some() { "import " } else { "" };
        let stores = self.stores.iter().map(|(store, told)| format!("{store} {:?} ", told.generation));
        format!("{}{import}{}", stores.collect::<String>(), self.server.len())
    }

    /// How much was promised. Of one recording's, the one with more promises all that the other does.
    pub(crate) fn promises(&self) -> usize {
        let commits = self.stores.values().flat_map(|store| store.acknowledged.values().chain([&store.set]));
        let lines = self.import.as_ref().map_or(0, ToldOfImport::lines);
        self.backups.len() + lines + commits.map(|counter| usize::try_from(*counter).unwrap_or(0)).sum::<usize>()
    }

    /// The same, with no promise about commits: what only survives the process is not promised after a loss of power.
    pub fn without_promises(&self) -> Self {
        let mut told = self.clone();
        told.stores.values_mut().for_each(|store| (store.acknowledged, store.set) = Default::default());
        told.import.iter_mut().for_each(ToldOfImport::forget);
        // A backup is on disk when it returns, whatever the store's commits survive.
        told
    }
}

/// What stores held at the end of the recording: any state before is a beginning of it. Of a store that is not in it nothing is known.
pub type Finals = BTreeMap<String, Vec<Booked>>;

/// The writer of the commit that a check makes itself.
const CHECKER: i64 = 99;

/// Opens what a stop left, and checks it all.
///
/// # Errors
/// What does not hold.
pub fn check(
    root: &Path,
    durability: Durability,
    told: &Told,
    finals: &Finals,
    runtime: &Arc<Runtime>,
) -> Result<(), String> {
    let mut player = Player::new(root, durability, runtime);
    player.server().load(&told.server);
    for (store, told) in &told.stores {
        player.open(store, told.generation).map_err(|error| format!("{store} does not open: {error}"))?;
        let ledger = player.store(store).ok_or("it is not open")?;
        check_alarm(ledger.lost(), durability).map_err(|what| format!("{store}: {what}"))?;
        check_settings(ledger, told.set).map_err(|what| format!("{store}: {what}"))?;
        // Of a log that others write to what it was is no beginning of what it is.
        let finals = finals.get(store).filter(|_| store != SYNCED).map(Vec::as_slice);
        check_store(ledger, &told.acknowledged, finals).map_err(|what| format!("{store}: {what}"))?;
        let booking = Booking { writer: CHECKER, counter: 1, last: 1, amount: 0, length: 10 };
        ledger.commit(&[booking]).map_err(|error| format!("{store} takes no commit: {}", error.message))?;
    }
    if told.stores.contains_key(SYNCED) {
        synced::check(&mut player, told).map_err(|what| format!("{SYNCED}: {what}"))?;
    }
    if told.projects {
        let stores: Vec<_> = told.stores.keys().collect();
        shelf::check(&mut player, &stores).map_err(|what| format!("the projection: {what}"))?;
    }
    if let Some(import) = &told.import {
        import.check(&mut player, durability).map_err(|what| format!("the import: {what}"))?;
    }
    player.shutdown().map_err(|failure| format!("it does not close: {failure}"))?;
    store_files(root).iter().try_for_each(|file| integrity(file))?;
    for (path, (store, acknowledged)) in &told.backups {
        check_backup(root, path, (store, acknowledged), finals, runtime)
            .map_err(|what| format!("the backup {path}: {what}"))?;
    }
    Ok(())
}

/// The settings are those after some change: the last one that returned, or the one that was being made.
fn check_settings(store: &dyn Ledger, told: i64) -> Result<(), String> {
    let settings = store.settings().map_err(|error| format!("the settings do not read: {error}"))?;
    settings.check(told)
}

/// What no stop leaves is not said of one: a `-wal` without the name of its `-shm`, and doubt where commits wait for the disk.
pub(crate) fn check_alarm(lost: Option<Loss>, durability: Durability) -> Result<(), String> {
    match lost {
        Some(Loss::Possible(NoIndex::Missing)) => Err("its `-shm` is missing".to_owned()),
        Some(Loss::Possible(_)) if durability == Durability::Power => Err("commits on disk are doubted".to_owned()),
        _ => Ok(()),
    }
}

/// One store: what was acknowledged is there, and nothing but a beginning of what was committed; tables are the fold of the log.
pub(crate) fn check_store(
    store: &dyn Ledger,
    acknowledged: &BTreeMap<i64, i64>,
    finals: Option<&[Booked]>,
) -> Result<(), String> {
    let (rows, sums) = store.state().map_err(|error| format!("it does not read: {error}"))?;
    if let Some(finals) = finals.filter(|finals| !finals.starts_with(&rows)) {
        return Err(format!("{} bookings are no beginning of the {} committed: {rows:?}", rows.len(), finals.len()));
    }
    for (writer, counter) in acknowledged {
        let found = rows.iter().filter(|row| row.writer == *writer).map(|row| row.counter).max().unwrap_or(0);
        if found < *counter {
            return Err(format!("LOST: writer {writer} was told of {counter} and has {found}"));
        }
    }
    check_rows(&rows, &sums)?;
    let report = store.verify().map_err(|error| format!("it cannot be verified: {error}"))?;
    if report.is_sound() { Ok(()) } else { Err(format!("tables are not those of the log: {report:?}")) }
}

/// No hole, no half commit, and sums that fit.
pub(crate) fn check_rows(rows: &[Booked], sums: &[Sum]) -> Result<(), String> {
    let mut fold = BTreeMap::<i64, (i64, i64, i64)>::new();
    for (row, place) in rows.iter().zip(1..) {
        let entry = fold.entry(row.writer).or_default();
        *entry = (entry.0 + 1, entry.1 + row.amount, row.last);
        if row.place != place || row.counter != entry.0 {
            return Err(format!("a hole before {row:?}"));
        }
    }
    if let Some((writer, (count, _, last))) = fold.iter().find(|(_, (count, _, last))| count != last) {
        return Err(format!("half of a commit: writer {writer} has {count} of {last}"));
    }
    let found: BTreeMap<_, _> = sums.iter().map(|sum| (sum.writer, (sum.bookings, sum.amount))).collect();
    let expected: BTreeMap<_, _> =
        fold.into_iter().map(|(writer, (count, amount, _))| (writer, (count, amount))).collect();
    if found == expected { Ok(()) } else { Err(format!("sums {found:?}, expected {expected:?}")) }
}

/// SQLite's own check of a closed file.
fn integrity(file: &Path) -> Result<(), String> {
    let wal = PathBuf::from(format!("{}-wal", file.display()));
    if wal.exists() {
        return Err(format!("{} is there after closing", wal.display()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let uri = format!("file:{}?immutable=1", file.display());
    let answer = Connection::open_with_flags(uri, flags)
        .and_then(|sqlite| sqlite.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)));
    match answer {
        Ok(answer) if answer == "ok" => Ok(()),
        Ok(answer) => Err(format!("integrity_check of {}: {answer}", file.display())),
        Err(error) => Err(format!("integrity_check of {}: {error}", file.display())),
    }
}

fn store_files(root: &Path) -> Vec<PathBuf> {
    let inside = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let paths = inside(&root.join("data/stores")).flat_map(|folder| inside(&folder).collect::<Vec<_>>());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "db")).collect()
}

/// A backup that returned is whole, and is the store as it was.
fn check_backup(
    root: &Path,
    path: &str,
    (store, acknowledged): (&str, &BTreeMap<i64, i64>),
    finals: &Finals,
    runtime: &Arc<Runtime>,
) -> Result<(), String> {
    let backup = root.join(path);
    if !backup.exists() {
        return Err("LOST: it is not there".to_owned());
    }
    integrity(&backup)?;
    let place = root.join(format!("restored-{path}"));
    let mut player = Player::new(&place, Durability::Process, runtime);
    player.open(store, Generation::First).map_err(|error| error.to_string())?;
    player.shutdown().map_err(|failure| failure.to_string())?;
    let file = store_files(&place).pop().ok_or("a store has no file")?;
    let lock = PathBuf::from(format!("{}.lock", file.display()));
    fs::copy(&backup, &file).and_then(|_| fs::remove_file(lock)).map_err(|error| error.to_string())?;
    player.open(store, Generation::First).map_err(|error| format!("it does not open: {error}"))?;
    let ledger = player.store(store).ok_or("it is not open")?;
    check_store(ledger, acknowledged, finals.get(store).map(Vec::as_slice))
}
