//! The tables in memory in which the answers of many stores meet.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    task::Waker,
};

use hashbrown::HashMap;

use crate::{
    definition::StoreDefinition,
    error::{AcrossError, QueryError, QueryErrorKind},
    id::StoreId,
    live::{Hashed, RowWatch},
    options::Durability,
    primitives::{Mutex, MutexGuard},
    query::{Origin, Params, Part, Query, Reads, Statement, UnionQuery, Unions},
    registry::InStore,
    seeded,
    storage::sqlite::{Access, Connection, Place, SqliteError},
    store::{ClosedStore, Engine},
    value::{Value, ValueRef},
};

/// A query of a union, and what the stores have answered so far.
pub(super) struct Gather<Q> {
    definition: &'static str,
    query: Arc<Q>,
    parts: Vec<Part>,
    met: Mutex<Met>,
    hearing: Option<Hearing>,
}

/// Hears of changes in the loaded stores that were read.
pub(super) struct Hearing {
    /// Who is woken by a store.
    waker: Box<dyn Fn(&StoreId) -> Waker + Send + Sync>,
    watches: Mutex<BTreeMap<usize, RowWatch>>,
}

#[derive(Default)]
struct Met {
    /// One for each part.
    tables: Vec<Connection>,
    ids: Vec<StoreId>,
    numbers: HashMap<StoreId, usize>,
}

impl Met {
    fn number(&mut self, id: &StoreId) -> usize {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        self.numbers.insert(id.clone(), self.ids.len());
        self.ids.push(id.clone());
        self.ids.len() - 1
    }
}

/// The values of the rows that one store has answered, part by part.
type Answer = Vec<Vec<Vec<Value>>>;

impl<Q: Query> Gather<Q> {
    pub(super) fn new<D: StoreDefinition>(query: Arc<Q>, ids: &[StoreId]) -> Result<Self, AcrossError>
    where
        Q: UnionQuery<D::Id>,
    {
        let failed = |source| AcrossError::Union { definition: D::NAME, source };
        let (mut parts, mut met) = (Vec::new(), Met::default());
        query.__parts(&mut parts).map_err(failed)?;
        let made = parts.iter().map(table).collect::<Result<Vec<_>, _>>();
        met.tables = made.map_err(|error| failed(error.into_query_error("")))?;
        ids.iter().for_each(|id| {
            met.number(id);
        });
        Ok(Self { definition: D::NAME, query, parts, met: Mutex::new(met), hearing: None })
    }

    /// The same, and `waker` says who is woken when rows that the query reads change in a store that was read.
    pub(super) fn hearing(mut self, waker: impl Fn(&StoreId) -> Waker + Send + Sync + 'static) -> Self {
        self.hearing = Some(Hearing { waker: Box::new(waker), watches: Mutex::default() });
        self
    }

    /// Before a loaded store is read, so that no change is missed.
    fn hear(&self, number: usize, engine: &Arc<Engine>) {
        let Some(Hearing { waker, watches }) = &self.hearing else { return };
        let mut watches = watches.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || RowWatch::new(engine, &*self.query);
        let watch = watches.entry(number).or_insert_with(new);
        if !watch.is_of(engine) {
            *watch = new();
        }
        if !seeded::bug("commit-not-heard-across") {
            watch.watch(&waker(engine.name().id()));
        }
    }

    /// The number of a store, a new one if it is new.
    pub(super) fn number(&self, id: &StoreId) -> usize {
        self.met().number(id)
    }

    /// Whether a store has a number.
    pub(super) fn knows(&self, id: &StoreId) -> bool {
        self.met().numbers.contains_key(id)
    }

    /// Asks the tables, and hashes what they answer.
    pub(super) fn ask<K>(&self) -> Result<(Q::Union, blake3::Hash), AcrossError>
    where
        Q: UnionQuery<K>,
    {
        let mut met = self.met();
        let Met { tables, ids, .. } = &mut *met;
        let mut hashes: Vec<Hashed> = tables.iter().map(|_| Hashed::new()).collect();
        let mut reads: Vec<_> = hashes.iter_mut().zip(tables).map(|(hashed, table)| hashed.reads(table)).collect();
        let tables = reads.iter_mut().map(|table| table as &mut dyn Reads).collect();
        let value = self.query.__union(&mut Unions { tables, next: 0, ids });
        drop(reads);
        let mut whole = blake3::Hasher::new();
        hashes.iter().for_each(|hashed| {
            whole.update(hashed.digest().as_bytes());
        });
        let value = value.map_err(|source| AcrossError::Union { definition: self.definition, source })?;
        Ok((value, whole.finalize()))
    }

    /// Forgets what a store has answered.
    pub(super) fn forget(&self, number: usize) -> Result<(), AcrossError> {
        let empty = self.parts.iter().map(|_| Vec::new()).collect();
        let failed = |source| AcrossError::Union { definition: self.definition, source };
        self.put(number, &empty).map_err(failed)
    }

    /// What a store answers.
    fn answer(&self, on: &mut dyn Reads) -> Result<Answer, QueryErrorKind> {
        let mut answer = Answer::with_capacity(self.parts.len());
        for part in &self.parts {
            let mut rows = Vec::new();
            if let Some(text) = &part.text {
                let (sql, params) = (text.sql(), text.params());
                let params = Params::Ordered(&params);
                let statement = Statement { sql, params, origin: Origin::Builder, row: "a row", columns: &[] };
                on.rows(&statement, &mut |row| {
                    rows.push(row.values().map(ValueRef::to_owned).collect());
                    Ok(true)
                })?;
            }
            answer.push(rows);
        }
        Ok(answer)
    }

    /// Puts a store's answer in the place of its last one.
    fn put(&self, number: usize, answer: &Answer) -> Result<(), QueryErrorKind> {
        let mut met = self.met();
        let store = ValueRef::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        for ((part, table), rows) in self.parts.iter().zip(&mut met.tables).zip(answer) {
            if part.text.is_some() {
                put_rows(table, part, store, rows).map_err(|error| error.into_query_error(&part.insert))?;
            }
        }
        Ok(())
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn table(part: &Part) -> Result<Connection, SqliteError> {
    let access = Access::Writer { create: true, durability: Durability::Process };
    let mut connection = Connection::open(&Place::Memory, access)?;
    connection.batch(&part.ddl)?;
    Ok(connection)
}

fn put_rows(table: &mut Connection, part: &Part, store: ValueRef<'_>, rows: &[Vec<Value>]) -> Result<(), SqliteError> {
    table.transaction(|table| {
        table.execute(&part.delete, &[store])?;
        rows.iter().try_for_each(|row| {
            let own = row.iter().map(Value::as_ref);
            // The number stands where the table has it.
            let values: Vec<ValueRef<'_>> = std::iter::once(store).chain(own).collect();
            table.execute(&part.insert, &values).map(drop)
        })
    })
}

impl<Q: Query + Send + Sync + 'static> InStore for Gather<Q> {
    fn loaded(&self, number: usize, engine: &Arc<Engine>) -> Result<(), QueryError> {
        self.hear(number, engine);
        let mut answer = Answer::new();
        engine.read_state(&mut |on, _| {
            answer = self.answer(on)?;
            Ok(())
        })?;
        self.put(number, &answer).map_err(|kind| QueryError::new(engine.name().clone(), kind))
    }

    fn closed(&self, number: usize, store: ClosedStore<'_>) -> Result<(), QueryErrorKind> {
        if seeded::bug("closed-store-left-out") {
            return Ok(());
        }
        let answer = self.answer(store.connection)?;
        self.put(number, &answer)
    }
}
