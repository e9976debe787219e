//! The transaction that takes over events: appending, materializing, and what becomes of those that do not materialize.

use std::time::Duration;

use hashbrown::{HashMap, hash_map::Entry};

use super::{Done, Ended, Engine, LEAST_EVENTS, Merged, Stop, Upstream, Writer};
use crate::{
    clock::Tick,
    event::{ClientId, EventContext, EventNumber, SessionId, StoredEvent},
    options::UnknownEvents,
    seeded,
    storage::{
        eventlog::{Appended, AuthorRow, place_of},
        meta, quarantine,
        sqlite::SqliteError,
    },
    store::{
        Applied, Unapplied,
        follow::MovesMark,
        inside::{self, Inside},
        writer::Tip,
    },
    sync::state::Nameless,
    value::ValueRef,
};

/// After so long a transaction takes no more foreign events than it has to, so that commits get their turn.
const LONG: Duration = Duration::from_millis(40);

/// Changed rows that are kept for those who listen, as long as others may come: half of what there is room for, so that the record of an event is
/// never cut short by those who listen.
const HEARD_ROWS: usize = 32_768;

/// Foreign events that are appended between two looks at the clock.
const FOREIGN_BATCH: usize = 16;

/// A transaction that takes over events.
pub(super) struct Work<'a> {
    pub(super) engine: &'a Engine,
    pub(super) writer: &'a mut Writer,
    pub(super) tip: Tip,
    pub(super) merged: Merged,
    pub(super) done: Done,
    authors: HashMap<(ClientId, SessionId), AuthorRow>,
    /// Events of before that were there; the file says that there are never fewer.
    events: u64,
    began: Tick,
    quarantined_before: bool,
    /// One of the batch does not materialize, so each of it has a savepoint of its own.
    one_by_one: bool,
    /// The tables were made anew: unknown events that come back count again.
    pub(super) recount: bool,
    /// Of the log that the events are of; none where they are of this client alone.
    upstream: Option<Upstream<'a>>,
    /// All that was to be appended is.
    is_whole: bool,
}

impl<'a> Work<'a> {
    /// For a transaction that has begun.
    pub(super) fn new(engine: &'a Engine, writer: &'a mut Writer, upstream: Option<Upstream<'a>>) -> Self {
        let (tip, began) = (writer.tip, engine.shared.runtime.now());
        let (merged, done, authors) = Default::default();
        let (events, quarantined_before, one_by_one, recount) = (tip.head.ordinal, true, false, false);
        Self {
            engine,
            writer,
            tip,
            merged,
            done,
            authors,
            events,
            began,
            quarantined_before,
            one_by_one,
            recount,
            upstream,
            is_whole: false,
        }
    }

    /// Appends foreign events and materializes them: at least `least` of them if there are so many, then as many as there is time for.
    pub(super) fn append(&mut self, foreign: &[StoredEvent], least: usize) -> Result<(), Stop> {
        if !foreign.is_empty() {
            self.quarantined_before = quarantine::exists(&mut self.writer.connection)?;
        }
        for (at, batch) in foreign.chunks(FOREIGN_BATCH).enumerate() {
            let is_long = || self.engine.shared.runtime.now().since(self.began) > LONG;
            if at * FOREIGN_BATCH >= least.max(LEAST_EVENTS) && is_long() {
                break;
            }
            self.batch(batch, Self::append_foreign)?;
        }
        self.merged.taken = usize::try_from(self.done.foreign).unwrap_or(usize::MAX);
        self.is_whole = self.merged.taken == foreign.len();
        Ok(())
    }

    /// Does it for each event of a batch, in one savepoint: one for each event makes a rebase an eighth slower. Where an event does not
    /// materialize all is taken back, and done one by one.
    pub(super) fn batch(
        &mut self,
        events: &[StoredEvent],
        mut one: impl FnMut(&mut Self, &StoredEvent) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let before = Before::of(self);
        self.one_by_one = false;
        self.writer.connection.execute("SAVEPOINT larder_batch", &[])?;
        let done = events.iter().try_for_each(|event| one(self, event));
        if let Err(Stop::NotMaterialized) = done {
            self.writer.connection.execute("ROLLBACK TO larder_batch", &[])?;
            before.restore(self);
            self.one_by_one = true;
            events.iter().try_for_each(|event| one(self, event))?;
        } else {
            done?;
        }
        Ok(self.writer.connection.execute("RELEASE larder_batch", &[]).map(drop)?)
    }

    fn append_foreign(&mut self, event: &StoredEvent) -> Result<(), Stop> {
        let number = event.number.without_generation();
        self.append_row(event, number)?;
        self.done.foreign += 1;
        self.tell(number);
        if let Some(id) =
            event.id.filter(|_| self.quarantined_before && !seeded::bug("arrived-event-stays-quarantined"))
        {
            // What could not come back here has arrived all the same.
            quarantine::remove(&mut self.writer.connection, id)?;
        }
        let mark = self.begin_event()?;
        match self.materialize(event, number) {
            Ok(Applied::Yes) => self.release(),
            Ok(Applied::Unknown) => {
                self.release()?;
                self.note_unknown(event, number)
            }
            Err(Unapplied::Sqlite(error)) => Err(error.into()),
            Err(unapplied) => {
                self.roll_back(mark)?;
                self.merged.failed += 1;
                let sql = "INSERT INTO larder_failed (place, reason) VALUES (?, ?)";
                let params = [ValueRef::Integer(place_of(number)), ValueRef::Text(&reason(unapplied))];
                Ok(self.writer.connection.execute(sql, &params).map(drop)?)
            }
        }
    }

    /// Brings an undone event back under a number; why not, if it does not materialize any more.
    pub(super) fn bring_back(&mut self, event: &StoredEvent, number: EventNumber) -> Result<Option<String>, Stop> {
        let (tip, mark) = (self.tip, self.begin_event()?);
        self.append_row(event, number)?;
        match self.materialize(event, number) {
            Ok(applied) => {
                if applied == Applied::Unknown && self.recount {
                    self.note_unknown(event, number)?;
                }
                self.writer.keep_changes(number, mark)?;
                self.release()?;
                self.tell(number);
                Ok(None)
            }
            Err(Unapplied::Sqlite(error)) => Err(error.into()),
            Err(unapplied) => {
                self.roll_back(mark)?;
                // A row of its author stays, which nobody minds; this session's was there before.
                self.tip = tip;
                Ok(Some(reason(unapplied)))
            }
        }
    }

    /// Events that arrived without ids, and are no pending ones, may be quarantined ones.
    /// Where nothing is quarantined nobody looks for them.
    pub(super) fn leave_quarantine<'e>(&mut self, arrived: impl FnOnce() -> Nameless<'e>) -> Result<(), Stop> {
        if !self.quarantined_before || seeded::bug("arrived-event-stays-quarantined") {
            return Ok(());
        }
        let mut arrived = arrived();
        if arrived.is_empty() {
            return Ok(());
        }
        Ok(quarantine::remove_if(&mut self.writer.connection, |quarantined| arrived.take(quarantined))?)
    }

    /// The end of the transaction: all up to `own` and the foreign events behind it are confirmed.
    pub(super) fn commit(self, own: u64) -> Result<Ended, Stop> {
        let Self { engine, writer, tip, merged, mut done, events, upstream, is_whole, .. } = self;
        if !seeded::bug("confirmed-head-not-kept") {
            writer.note_confirmed(own + done.foreign)?;
        }
        if tip.head.ordinal < events && !seeded::bug("fewer-events-not-noted") {
            writer.note_fewer_events(tip.head.ordinal)?;
        }
        if let Some(Upstream { backend_id, .. }) = upstream
            && !engine.sync.has_written(backend_id)
        {
            meta::put_backend(&mut writer.connection, backend_id)?;
            done.backend_id = Some(backend_id.to_owned());
        }
        if let Some(Upstream { metadata: Some(metadata), .. }) = upstream
            && is_whole
        {
            meta::put_sync_metadata(&mut writer.connection, Some(metadata))?;
            done.metadata = Some(Some(metadata.to_owned()));
        }
        if merged.failed > 0 || done.undone_from.is_some() {
            let failed = writer.connection.integer("SELECT count(*) FROM larder_failed", &[])?;
            done.failed = failed.map(i64::unsigned_abs);
        }
        writer.commit_to(tip)?;
        Ok(Ended { merged, done })
    }

    /// Who listens hears of an event.
    fn tell(&mut self, number: EventNumber) {
        if self.writer.is_heard() {
            self.done.numbers.push(number);
        }
    }

    fn append_row(&mut self, event: &StoredEvent, number: EventNumber) -> Result<(), Stop> {
        let author = match self.authors.entry((event.client_id.clone(), event.session_id.clone())) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                *new.insert(AuthorRow::ensure(&mut self.writer.connection, &event.client_id, &event.session_id)?)
            }
        };
        let appended = Appended { number, name: &event.name, args: event.args.as_deref(), id: event.id };
        Ok(self.writer.append_by(&mut self.tip, &author, appended)?)
    }

    fn materialize(&mut self, event: &StoredEvent, number: EventNumber) -> Result<Applied, Unapplied> {
        let about = EventContext::new(number, event.client_id.clone(), event.session_id.clone());
        let _inside = inside::enter(self.engine.address(), Inside::Materializer);
        let model = &self.engine.shared.model;
        model.apply(&event.name, event.args.as_deref(), &about, &mut self.writer.connection)
    }

    /// Before an event, whose record begins here.
    fn begin_event(&mut self) -> Result<usize, SqliteError> {
        if self.writer.connection.changes_mark() > HEARD_ROWS {
            self.writer.stop_hearing();
        }
        if !self.writer.is_heard() {
            self.writer.connection.changes_truncate(0);
        }
        if self.one_by_one {
            self.writer.connection.execute("SAVEPOINT larder_event", &[])?;
        }
        Ok(self.writer.connection.changes_mark())
    }

    fn release(&mut self) -> Result<(), Stop> {
        if self.one_by_one {
            self.writer.connection.execute("RELEASE larder_event", &[])?;
        }
        Ok(())
    }

    /// Takes back an event that does not materialize, if that can be done without the others of its batch.
    fn roll_back(&mut self, mark: usize) -> Result<(), Stop> {
        if !self.one_by_one {
            return Err(Stop::NotMaterialized);
        }
        if !seeded::bug("failed-event-half-applied") {
            self.writer.connection.execute("ROLLBACK TO larder_event", &[])?;
        }
        self.writer.connection.changes_truncate(mark);
        Ok(self.writer.connection.execute("RELEASE larder_event", &[]).map(drop)?)
    }

    fn note_unknown(&mut self, event: &StoredEvent, number: EventNumber) -> Result<(), Stop> {
        let policy = self.engine.shared.options.unknown_events;
        if policy == UnknownEvents::Fail {
            return Err(Stop::Unknown { name: event.name.clone(), number });
        }
        let sql = "INSERT INTO larder_unknown (name, place, events) VALUES (?, ?, 1) \
                   ON CONFLICT (name) DO UPDATE SET events = events + 1, place = min(place, excluded.place) RETURNING events";
        let params = [ValueRef::Text(&event.name), ValueRef::Integer(place_of(number))];
        let events = self.writer.connection.integer(sql, &params)?;
        match policy {
            // Later ones of the name are counted, and told of by the next load.
            UnknownEvents::Warn if events == Some(1) => {
                let (store, id) = (self.engine.name().definition(), self.engine.name().id().as_str());
                tracing::warn!(store, id, event = event.name, %number, "an event came that this app does not know");
            }
            UnknownEvents::Callback(_) => self.done.unknown.push(StoredEvent { number, ..event.clone() }),
            _ => {}
        }
        Ok(())
    }
}

/// What a batch that is taken back leaves as it was.
struct Before {
    tip: Tip,
    mark: usize,
    merged: Merged,
    foreign: u64,
    numbers: usize,
    moves: MovesMark,
    unknown: usize,
}

impl Before {
    fn of(work: &Work<'_>) -> Self {
        let (mark, done) = (work.writer.connection.changes_mark(), &work.done);
        let (numbers, moves, unknown) = (done.numbers.len(), done.moves.mark(), done.unknown.len());
        Self { tip: work.tip, mark, merged: work.merged.clone(), foreign: done.foreign, numbers, moves, unknown }
    }

    fn restore(self, work: &mut Work<'_>) {
        work.writer.taken_back(&self.tip, self.mark);
        if seeded::bug("batch-half-taken-back") {
            return;
        }
        (work.tip, work.merged, work.done.foreign) = (self.tip, self.merged, self.foreign);
        work.done.numbers.truncate(self.numbers);
        work.done.moves.back_to(self.moves);
        work.done.unknown.truncate(self.unknown);
        // Rows of authors that the batch was the first to name are gone.
        work.authors.clear();
    }
}

fn reason(unapplied: Unapplied) -> String {
    match unapplied {
        Unapplied::Decode(error) => error.to_string(),
        Unapplied::Refused(error) => error.to_string(),
        Unapplied::Panicked(message) => format!("the app's code panicked: {message}"),
        Unapplied::Sqlite(error) => error.to_string(),
    }
}
