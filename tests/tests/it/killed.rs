//! Processes that are there or gone at an awkward moment: while a store is made, while its tables are built, while another opens it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use larder::{LoadError, Migration, RebuildReason, prelude::*};
use larder_tests::{
    lab::{Lab, copy_dir, lock_text, with_ending},
    ledger::{LedgerEvent, LedgerStore, Mix},
    notebook::{Note, Notebook, written},
};

/// The operating system's limit, which larder's own capacity was set past: the error says so, and nothing is broken by it.
#[test]
fn a_store_that_the_process_has_no_files_for_is_refused_and_opens_when_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let child = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_files_child")])
        .arg(directory.path())
        .output()
        .unwrap();
    let output = String::from_utf8(child.stdout).unwrap();
    let [got, error, message, again] = output.lines().collect::<Vec<_>>().try_into().unwrap_or_else(|lines| {
        panic!("{lines:?}, {}", String::from_utf8_lossy(&child.stderr));
    });
    assert!((4..20).contains(&got.parse::<usize>().unwrap()), "{got}");
    assert!(error.starts_with("TooManyOpenFiles") && error.contains("limit: Process"), "{error}");
    assert!(message.contains("the process can open no more files") && message.contains("ulimit -n"), "{message}");
    assert_eq!(again, "10");
}

fn child(program: &str, directory: &Path, argument: u64) -> Child {
    let mut command = Command::new(program);
    command.arg(directory).arg(argument.to_string()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Lets the child make stores for a while, kills it, and says which it had begun.
fn make_stores_and_be_killed(directory: &Path, first: u64, lifetime: Duration) -> Vec<String> {
    let mut child = child(env!("CARGO_BIN_EXE_create_child"), directory, first);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut begun = vec![lines.next().unwrap().unwrap()];
    // The kill must come at any moment of making a store: real time is the point here.
    std::thread::sleep(lifetime);
    child.kill().unwrap();
    child.wait().unwrap();
    begun.extend(lines.map_while(Result::ok));
    begun
}

#[test]
fn a_store_whose_making_was_killed_opens_as_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut mix = Mix::new(20_261_122);
    for cycle in 0..30 {
        let lifetime = Duration::from_micros(mix.number() % 20_000);
        let begun = make_stores_and_be_killed(directory.path(), cycle * 1_000, lifetime);
        runtime.block_on(async {
            let registry = StoreRegistry::builder().data_dir(directory.path()).build().unwrap();
            every_file_is_in_the_catalog(&registry, directory.path()).await;
            for id in &begun {
                let store = registry.get::<LedgerStore>(id).await.unwrap_or_else(|error| panic!("{cycle}: {error}"));
                store.commit(LedgerEvent::booked(1, &mut mix)).unwrap();
            }
            registry.shutdown(Duration::from_secs(10)).await;
        });
    }
}

/// No kill may leave a file that no list names: nobody would ever open, send or delete it.
async fn every_file_is_in_the_catalog(registry: &StoreRegistry, directory: &Path) {
    let listed: Vec<_> = registry.stored::<LedgerStore>().await.unwrap().into_iter().map(|store| store.file).collect();
    let Ok(folder) = fs::read_dir(directory.join("stores/ledger")) else { return };
    let files =
        folder.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "db"));
    let lost: Vec<_> = files.filter(|file| !listed.contains(file)).collect();
    assert!(lost.is_empty(), "{lost:?} are not in the catalog");
}

#[tokio::test]
async fn a_second_process_is_refused_with_the_pid_of_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = child(env!("CARGO_BIN_EXE_hold_child"), directory.path(), 0);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "open");
    let registry = StoreRegistry::builder().data_dir(directory.path()).build();
    let refused = match registry {
        Ok(registry) => registry.get::<LedgerStore>("ledger:0").await.map(drop).unwrap_err(),
        Err(error) => error,
    };
    let LoadError::Locked { holder, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*holder, format!("process {}", child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
    let registry = StoreRegistry::builder().data_dir(directory.path()).build().unwrap();
    let store = registry.get::<LedgerStore>("ledger:0").await.unwrap();
    assert_eq!(store.head(), "e1".parse().unwrap(), "what was acknowledged before the kill is there");
}

async fn with_events(lab: &mut Lab, count: i64) {
    let store = lab.open::<Notebook>().await;
    let all = (1..=count).map(written).collect::<Vec<_>>();
    all.chunks(1_000).for_each(|events| drop(store.commit(events).unwrap()));
    drop(store);
    lab.close().await;
}

#[tokio::test]
async fn tables_whose_rebuild_was_killed_are_wholly_old_and_are_rebuilt_by_the_next_load() {
    let mut alive = Lab::on_disk();
    with_events(&mut alive, 3_000).await;
    let sqlite = alive.sqlite("notebook");
    sqlite
        .execute_batch(
            "UPDATE larder_meta SET value = zeroblob(16) WHERE key = 'fingerprint'; DELETE FROM notes WHERE number > 7",
        )
        .unwrap();
    sqlite.close().unwrap();
    let moments = Arc::new(Mutex::new(Vec::<Lab>::new()));
    let (seen, data) = (Arc::clone(&moments), alive.data_dir());
    let get = alive.registry().get::<Notebook>("book:1").progress(move |_| {
        let moment = Lab::on_disk();
        copy_dir(&data, &moment.data_dir());
        seen.lock().unwrap().push(moment);
    });
    assert_eq!(get.await.unwrap().query(Note::all().count()).unwrap(), 3_000);
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    assert!(moments.len() > 5, "{} moments", moments.len());
    for mut moment in moments {
        assert_eq!(plain_count(&moment), 7);
        let store = moment.open::<Notebook>().await;
        assert!(store.migrations_report().rebuilt());
        assert_eq!(store.query(Note::all().count()).unwrap(), 3_000);
        assert!(store.verify().unwrap().is_sound());
    }
}

/// Rows of the notes as plain SQLite finds them, in a copy: SQLite would take the `-wal` away.
fn plain_count(lab: &Lab) -> i64 {
    let copy = lab.beside("copy");
    copy_dir(lab.store_file("notebook").parent().unwrap(), &copy);
    let sqlite = rusqlite::Connection::open(copy.join(lab.store_file("notebook").file_name().unwrap())).unwrap();
    sqlite.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap()
}

/// Makes the tables unreadable, and the next load build a new file.
fn damage_tables(lab: &Lab) {
    let sqlite = lab.sqlite("notebook");
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'notes'";
    let page: u64 = sqlite.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs();
    sqlite.close().unwrap();
    let mut file = fs::File::options().write(true).open(lab.store_file("notebook")).unwrap();
    file.seek(SeekFrom::Start((page - 1) * 4096)).unwrap();
    file.write_all(&[0; 4096]).unwrap();
}

/// Writes how the last opener ended, as larder does.
fn mark(lab: &Lab, state: &str) {
    fs::write(with_ending(&lab.store_file("notebook"), ".lock"), lock_text(1, state)).unwrap();
}

#[tokio::test]
async fn a_new_file_of_tables_that_was_complete_takes_the_place_of_the_old_one() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 500).await;
    let file = lab.store_file("notebook");
    fs::copy(&file, with_ending(&file, ".new")).unwrap();
    damage_tables(&lab);
    mark(&lab, "replacing sound 4");
    let store = lab.open::<Notebook>().await;
    assert_eq!(store.migrations_report().migration, Migration::Unchanged);
    assert_eq!(store.query(Note::all().count()).unwrap(), 500);
    assert!(!with_ending(&file, ".new").exists());
}

#[tokio::test]
async fn a_new_file_of_tables_that_was_not_complete_is_begun_anew() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 500).await;
    let file = lab.store_file("notebook");
    let mut half = Vec::new();
    fs::File::open(&file).unwrap().take(9_000).read_to_end(&mut half).unwrap();
    fs::write(with_ending(&file, ".new"), half).unwrap();
    damage_tables(&lab);
    mark(&lab, "closed suspect 2");
    let store = lab.open::<Notebook>().await;
    assert_eq!(store.migrations_report().migration, Migration::Rebuilt(RebuildReason::Damaged));
    assert_eq!(store.query(Note::all().count()).unwrap(), 500);
    assert!(!with_ending(&file, ".new").exists());
}
