//! What larder makes of a damaged store, and whether that may be: nothing is shown that is not true unless it is found, and nothing is
//! missing without a word.

use std::{collections::BTreeMap, fs, time::Duration};

use larder::{EventNumber, LoadError, LostCommits, QueryError, StoreRegistry, VerifyReport, doctor, prelude::*};

use super::patients::{Copy, Entry, EntryEvent, EntryStore, KINDS, Patients, Tally, event};

/// What larder says of a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Whole,
    Rebuilt,
    Tables,
    Log,
    Lost,
    Corrupt,
    WrongFile,
    NewerFormat,
    Storage,
}

impl Outcome {
    pub(super) const ALL: [Self; 9] = [
        Self::Whole,
        Self::Rebuilt,
        Self::Tables,
        Self::Log,
        Self::Lost,
        Self::Corrupt,
        Self::WrongFile,
        Self::NewerFormat,
        Self::Storage,
    ];
}

/// Opens a damaged store and looks at all of it, and at what comes after.
pub(super) async fn judge(copy: &mut Copy, doctor_first: bool) -> Result<Outcome, String> {
    if doctor_first {
        let before = fs::read(&copy.file).ok();
        examine(copy)?;
        expect(fs::read(&copy.file).ok() == before, "the doctor changed the file")?;
    }
    let Looked { outcome, events } = look(copy, copy.events, false).await?;
    match outcome {
        Outcome::Whole | Outcome::Rebuilt | Outcome::Lost => {
            let again = look(copy, events, true).await.map_err(|wrong| format!("at the second opening: {wrong}"))?;
            let third = look(copy, again.events, false).await.map_err(|wrong| format!("after a commit: {wrong}"))?;
            // What was built anew is as good as new.
            let sound = outcome != Outcome::Rebuilt || third.outcome == Outcome::Whole;
            expect(sound, &format!("built anew, and then {:?}", third.outcome))?;
        }
        Outcome::Tables => {
            let again = look(copy, events, false).await.map_err(|wrong| format!("at the next load: {wrong}"))?;
            expect(again.outcome == Outcome::Rebuilt, &format!("damaged tables, and then {:?}", again.outcome))?;
        }
        _ => examine(copy)?,
    }
    Ok(outcome)
}

fn expect(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

struct Looked {
    outcome: Outcome,
    /// How many events there are now.
    events: u64,
}

/// One opening of a store to which so many events were committed; with one more commit, if that is asked for.
async fn look(copy: &Copy, events: u64, commit: bool) -> Result<Looked, String> {
    let registry =
        StoreRegistry::builder().data_dir(&copy.root).build().map_err(|error| format!("registry: {error}"))?;
    let found = match registry.get::<EntryStore>("book:1").await {
        Ok(store) => look_inside(&store, events, commit).await,
        Err(error) => refused(&error).map(|outcome| Looked { outcome, events }),
    };
    registry.shutdown(Duration::from_secs(60)).await;
    found
}

fn refused(error: &LoadError) -> Result<Outcome, String> {
    Ok(match error {
        LoadError::Corrupt { .. } => Outcome::Corrupt,
        LoadError::WrongFile { .. } => Outcome::WrongFile,
        LoadError::NewerFormat { .. } => Outcome::NewerFormat,
        LoadError::Storage { .. } => Outcome::Storage,
        other => return Err(format!("refused with {other}")),
    })
}

async fn look_inside(store: &StoreHandle<EntryStore>, events: u64, commit: bool) -> Result<Looked, String> {
    let (lost, rebuilt) = (store.migrations_report().lost.clone(), store.migrations_report().rebuilt());
    let head = store.head().global();
    check_head(head, events, lost.as_ref())?;
    let log_reads = read_log(store, head).await?;
    let shown = Shown::of(store);
    let verified = store.verify();
    let sound = verified.as_ref().is_ok_and(VerifyReport::is_sound);
    let log_damage = verified.as_ref().is_ok_and(|report| report.log_damage.is_some());
    let true_rows = shown.as_ref().is_ok_and(|shown| *shown == Shown::expected(head));
    expect(true_rows || shown.is_err() || !sound, "wrong rows are shown, and `verify` does not find them")?;
    let outcome = match () {
        () if !log_reads || log_damage => Outcome::Log,
        () if !sound || shown.is_err() => Outcome::Tables,
        () if lost.is_some() => Outcome::Lost,
        () if rebuilt => Outcome::Rebuilt,
        () => Outcome::Whole,
    };
    // A commit that is refused has committed nothing.
    let more = commit && store.commit(event(head + 1)).is_ok();
    Ok(Looked { outcome, events: head + u64::from(more) })
}

fn check_head(head: u64, events: u64, lost: Option<&LostCommits>) -> Result<(), String> {
    expect(head <= events, &format!("{head} events, and {events} were committed"))?;
    expect(head == events || lost.is_some(), &format!("LOST without a word: {head} of {events} events"))?;
    expect(head == events || Patients::is_between_commits(head), &format!("half of a commit: {head} events"))
}

/// Whether all of the log reads; what does is what was committed.
async fn read_log(store: &StoreHandle<EntryStore>, head: u64) -> Result<bool, String> {
    let mut stream = store.events(EventNumber::ZERO);
    for number in 1..=head {
        match stream.next().await {
            Some(Ok(found)) => {
                let is_true = found.number == EventNumber::synced(number)
                    && found.decode().is_ok_and(|found| found == Some(event(number)));
                expect(is_true, &format!("event {number} is shown as {found:?}"))?;
            }
            Some(Err(_)) => return Ok(false),
            None => return Err(format!("no event {number} of {head}, and no error")),
        }
    }
    Ok(true)
}

/// What queries show.
#[derive(Debug, PartialEq)]
struct Shown {
    all: Vec<Entry>,
    /// Through the index.
    by_kind: Vec<Vec<i64>>,
    tallies: Vec<Tally>,
}

impl Shown {
    fn of(store: &StoreHandle<EntryStore>) -> Result<Self, QueryError> {
        let numbers = |kind: &&str| {
            let rows = store.query(Entry::filter(Entry::KIND.eq(*kind)).order_by(Entry::NUMBER.asc()))?;
            Ok(rows.iter().map(|entry| entry.number).collect())
        };
        Ok(Self {
            all: store.query(Entry::all().order_by(Entry::NUMBER.asc()))?,
            by_kind: KINDS.iter().map(numbers).collect::<Result<_, QueryError>>()?,
            tallies: store.query(Tally::all().order_by(Tally::KIND.asc()))?,
        })
    }

    /// The fold of the first events.
    fn expected(events: u64) -> Self {
        let mut all = BTreeMap::new();
        let mut tallies = BTreeMap::<String, i64>::new();
        for number in 1..=events {
            match event(number) {
                EntryEvent::Made { number, kind, text } => {
                    *tallies.entry(kind.clone()).or_default() += 1;
                    all.insert(number, Entry { number, kind, text, weight: number as f64 / 3.0 });
                }
                EntryEvent::Removed { number } => {
                    if let Some(entry) = all.remove(&number) {
                        *tallies.entry(entry.kind).or_default() -= 1;
                    }
                }
            }
        }
        let of_kind =
            |kind: &&str| all.values().filter(|entry| entry.kind == **kind).map(|entry| entry.number).collect();
        let by_kind = KINDS.iter().map(of_kind).collect();
        let tallies = tallies.into_iter().map(|(kind, entries)| Tally { kind, entries }).collect();
        Self { by_kind, tallies, all: all.into_values().collect() }
    }
}

/// The doctor ends, and what it exports as sound was committed, once each.
fn examine(copy: &Copy) -> Result<(), String> {
    let _ = doctor::check(&copy.file);
    let mut out = Vec::new();
    let _ = doctor::export(&copy.file, &mut out);
    let lines = String::from_utf8(out).map_err(|error| format!("the export is no text: {error}"))?;
    let mut known = Vec::new();
    for line in lines.lines() {
        let line: serde_json::Value =
            serde_json::from_str(line).map_err(|error| format!("exported {line}: {error}"))?;
        if line["sound"] == true {
            let number = line["number"].as_str().and_then(|text| text.strip_prefix('e')?.parse().ok());
            let number: u64 = number.ok_or_else(|| format!("exported {line}"))?;
            expect((&line["name"], &line["args"]) == (&name(number), &args(number)), &format!("exported {line}"))?;
            known.push(number);
        }
    }
    expect(known.is_sorted_by(|one, next| one < next), "an event is exported twice")
}

fn name(number: u64) -> serde_json::Value {
    match event(number) {
        EntryEvent::Made { .. } => "v1.EntryMade".into(),
        EntryEvent::Removed { .. } => "v1.EntryRemoved".into(),
    }
}

fn args(number: u64) -> serde_json::Value {
    match event(number) {
        EntryEvent::Made { number, kind, text } => serde_json::json!({ "number": number, "kind": kind, "text": text }),
        EntryEvent::Removed { number } => serde_json::json!({ "number": number }),
    }
}
