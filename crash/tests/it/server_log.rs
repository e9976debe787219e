//! The log of `larder-server`: stopped after any call that changes a file, and with a fault at any call. What was acknowledged is there,
//! whole batches and nothing else, and the log is the same one: with another identity clients would begin anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use larder_crash::{
    disk::{Disk, in_memory, write_tree},
    fault::{Fault, FaultKind},
    power,
    script::Note,
    trace::{Op, Trace, Tree},
    watch::Watch,
};
use larder_server::{Append, PageSize, SqliteStorage, Storage};
use larder_wire::{Event, StoreId};

/// Starts of the server in a recording.
const STARTS: u64 = 3;
/// Rounds of a start; in each one some stores get a batch, at the same time.
const ROUNDS: u64 = 5;
/// Stores.
const STORES: u64 = 4;
/// Losses of power at each call.
const LOSSES: u64 = 3;

fn id(store: u64) -> StoreId {
    StoreId::new(&format!("store-{store}")).unwrap()
}

/// Events of a batch: none where the store gets none in this round, and some are longer than a page of SQLite.
fn batch(start: u64, round: u64, store: u64) -> u64 {
    (start * 7 + round * 3 + store * 5) % 4
}

fn event(number: u64) -> Event {
    let text = "x".repeat(usize::try_from(number % 5 * 1_500).unwrap());
    Event {
        name: format!("v1.Noted{text}"),
        args: None,
        seq_num: number,
        parent_seq_num: number - 1,
        client_id: "client".to_owned(),
        session_id: "session".to_owned(),
        id: None,
    }
}

/// The heads that a store's log has one after the other.
fn heads(store: u64) -> Vec<u64> {
    let rounds = (0..STARTS).flat_map(|start| (0..ROUNDS).map(move |round| batch(start, round, store)));
    rounds.fold(vec![0], |mut heads, events| {
        heads.push(heads[heads.len() - 1] + events);
        heads
    })
}

fn append(store: u64, head: u64, events: u64) -> Append {
    Append::new(id(store), head, 0, (head + 1..=head + events).map(event).collect())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// What the server has promised.
#[derive(Clone, Debug, Default)]
struct Promised {
    heads: BTreeMap<u64, u64>,
    identity: Option<String>,
    /// What the heads would be with what was not acknowledged.
    tried: BTreeSet<(u64, u64)>,
}

impl Promised {
    /// The same as notes of a recording.
    fn hear(&mut self, note: &Note) {
        if let Note::Acknowledged { store, writer, counter } = note {
            self.heads.insert(u64::try_from(*writer).unwrap(), u64::try_from(*counter).unwrap());
            self.identity = Some(store.clone());
        }
    }
}

/// Runs the server as often as it starts. Where calls fail, starts and appends may, too, and it goes on.
async fn serve(data: &Path, watch: &Watch, may_fail: bool) -> Promised {
    let mut promised = Promised::default();
    for start in 0..STARTS {
        let Some(storage) = open(data, watch, may_fail) else { continue };
        for round in 0..ROUNDS {
            let batches = (0..STORES).map(|store| {
                let (storage, head) = (&storage, promised.heads.get(&store).copied().unwrap_or_default());
                let events = batch(start, round, store);
                promised.tried.insert((store, head + events));
                async move { (store, storage.append(append(store, head, events)).await) }
            });
            let batches: Vec<_> = batches.collect();
            for (store, answer) in futures_util::future::join_all(batches).await {
                let head = match answer {
                    Ok(head) => head,
                    Err(error) => {
                        assert!(may_fail, "{error}");
                        continue;
                    }
                };
                let note = Note::Acknowledged {
                    store: storage.name().to_owned(),
                    writer: i64::try_from(store).unwrap(),
                    counter: i64::try_from(head).unwrap(),
                };
                promised.hear(&note);
                watch.note(note);
            }
        }
        storage.close().await;
    }
    promised
}

fn open(data: &Path, watch: &Watch, may_fail: bool) -> Option<SqliteStorage> {
    match SqliteStorage::open(data) {
        Ok(storage) => Some(storage),
        Err(error) => {
            assert!(may_fail && watch.has_fired(), "{error}");
            None
        }
    }
}

/// What is left has all that was promised, and takes the next event.
async fn check(data: &Path, promised: &Promised, whole: impl Fn(u64, u64) -> bool) {
    let storage = SqliteStorage::open(data).unwrap_or_else(|error| panic!("it does not start: {error}"));
    if let Some(identity) = &promised.identity {
        assert_eq!(storage.name(), identity, "another identity");
    }
    for store in 0..STORES {
        let size = PageSize { events: 1_000, bytes: 100_000_000 };
        let page = storage.read(&id(store), 0, size).await.unwrap();
        let head = promised.heads.get(&store).copied().unwrap_or_default();
        assert!(page.head >= head, "store {store}: {} events of {head} that were acknowledged", page.head);
        assert!(whole(store, page.head), "store {store}: {} events are no whole batches", page.head);
        let expected: Vec<_> = (1..=page.head).map(|number| (number, event(number).name)).collect();
        let found: Vec<_> =
            page.events.iter().map(|pulled| (pulled.event.seq_num, pulled.event.name.clone())).collect();
        assert_eq!(found, expected, "store {store}");
        assert_eq!(storage.append(append(store, page.head, 1)).await, Ok(page.head + 1), "store {store}");
    }
    storage.close().await;
}

fn check_image(image: &Tree, promised: &Promised) {
    let folder = in_memory().unwrap();
    write_tree(image, folder.path()).unwrap();
    let whole = |store, head| heads(store).contains(&head);
    block_on(check(folder.path(), promised, whole));
}

fn recorded() -> Trace {
    let folder = in_memory().unwrap();
    let watch = Watch::begin(folder.path()).unwrap();
    watch.record();
    block_on(serve(folder.path(), &watch, false));
    watch.end()
}

#[test]
fn a_server_stopped_anywhere_has_all_that_it_acknowledged_under_its_identity() {
    let trace = recorded();
    let (mut disk, mut promised, mut stops) = (Disk::new(&trace), Promised::default(), 0);
    for (at, op) in trace.ops.iter().enumerate() {
        disk.apply(at);
        if let Op::Note(note) = op {
            promised.hear(note);
            continue;
        }
        check_image(&disk.image(&disk.killed()), &promised);
        let until = Trace { base: trace.base.clone(), ops: trace.ops[..=at].to_vec() };
        for loss in 0..LOSSES {
            let seed = at as u64 * LOSSES + loss;
            let image = power::after_loss(&until, seed);
            std::panic::catch_unwind(|| check_image(&image, &promised)).unwrap_or_else(|panic| {
                eprintln!("after the call {at}, {op:?}, and a loss of power with the seed {seed}");
                std::panic::resume_unwind(panic)
            });
        }
        stops += 1 + LOSSES;
    }
    println!("{stops} stops of {} calls", trace.ops.len());
    assert!(promised.heads.values().sum::<u64>() > 60, "{promised:?}");
}

#[test]
fn a_fault_anywhere_is_an_error_of_the_server_and_takes_nothing_that_was_acknowledged() {
    let mut runs = 0;
    for kind in FaultKind::ALL {
        for forever in [false, true] {
            for at in 1.. {
                let folder = in_memory().unwrap();
                let watch = Watch::begin(folder.path()).unwrap();
                let fault = Fault::At { kind, at, forever };
                watch.fail(fault);
                let promised = block_on(serve(folder.path(), &watch, true));
                let fired = watch.heal();
                // What was refused because a disk failed may be there, too, and whole.
                let whole = |store, head| head == 0 || promised.tried.contains(&(store, head));
                let checked = std::panic::catch_unwind(|| block_on(check(folder.path(), &promised, whole)));
                watch.end();
                if let Err(panic) = checked {
                    eprintln!("{fault:?}");
                    std::panic::resume_unwind(panic);
                }
                if !fired {
                    break;
                }
                runs += 1;
            }
        }
    }
    println!("{runs} runs with a fault");
    assert!(runs > 200, "only {runs} runs");
}
