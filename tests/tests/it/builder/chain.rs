//! Six tables in one query: as many as there may be.

use larder::{OpenOptions, prelude::*};

macro_rules! tables {
    ($($table:ident of $parent:ident),+) => {$(
        #[derive(Table, Clone, Debug, PartialEq)]
        struct $table {
            #[table(primary_key)]
            id: i64,
            #[table(references($parent))]
            parent: Option<i64>,
        }
    )+};
}

tables!(Leg of Leg, Hip of Leg, Rib of Hip, Arm of Rib, Hand of Arm, Nail of Hand);

#[derive(Event, Clone, Debug, PartialEq)]
enum BodyEvent {
    #[event(name = "v1.Grown")]
    Grown { id: i64, tables: i64 },
}

#[derive(StoreSchema)]
#[schema(events = BodyEvent, tables(Leg, Hip, Rib, Arm, Hand, Nail), version = 1)]
struct BodySchema;

#[larder::materializer]
impl Materializer for BodySchema {
    fn materialize(event: &BodyEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let BodyEvent::Grown { id, tables: grown } = *event;
        let parent = Some(id);
        let mut left = grown;
        let mut next = || {
            left -= 1;
            left >= 0
        };
        if next() {
            tables.insert(Leg { id, parent: None })?;
        }
        if next() {
            tables.insert(Hip { id, parent })?;
        }
        if next() {
            tables.insert(Rib { id, parent })?;
        }
        if next() {
            tables.insert(Arm { id, parent })?;
        }
        if next() {
            tables.insert(Hand { id, parent })?;
        }
        if next() {
            tables.insert(Nail { id, parent })?;
        }
        Ok(())
    }
}

define_store! {
    BodyStore { name: "body", schema: BodySchema, adapter: SqliteAdapter::persisted() }
}

#[tokio::test]
async fn a_query_of_six_tables_takes_columns_filters_and_orders_of_each() {
    let store = Store::<BodyStore>::open("body:1", OpenOptions::in_memory()).await.expect("it opens");
    store.commit([BodyEvent::Grown { id: 1, tables: 6 }, BodyEvent::Grown { id: 2, tables: 3 }]).expect("it commits");

    let inner = Leg::all().join(Hip::PARENT).join(Rib::PARENT).join(Arm::PARENT).join(Hand::PARENT).join(Nail::PARENT);
    let (leg, .., nail) = store.query(inner.clone().one()).expect("one has all six");
    assert_eq!((leg, nail), (Leg { id: 1, parent: None }, Nail { id: 1, parent: Some(1) }));
    let ids = (Nail::ID, Hand::ID, Arm::ID, Rib::ID, Hip::ID, Leg::ID);
    assert_eq!(store.query(inner.clone().select(ids)), Ok(vec![(1, 1, 1, 1, 1, 1)]));
    let order = (Nail::ID.asc(), Hand::ID.desc(), Arm::ID.asc(), Rib::ID.asc(), Hip::ID.asc(), Leg::ID.asc());
    let filtered = inner.filter(Hip::ID.eq(1)).filter(Rib::ID.eq(1)).filter(Arm::ID.eq(1)).filter(Hand::ID.ne(1));
    assert_eq!(store.query(filtered.order_by(order).count()), Ok(0));

    let left = Leg::all()
        .left_join(Hip::PARENT)
        .left_join(Rib::PARENT)
        .left_join(Arm::PARENT)
        .left_join(Hand::PARENT)
        .left_join(Nail::PARENT);
    let half = left.clone().filter(Hand::ID.is_null()).filter(Nail::ID.is_null());
    let parent = Some(2);
    let row = (Leg { id: 2, parent: None }, Some(Hip { id: 2, parent }), Some(Rib { id: 2, parent }), None, None, None);
    assert_eq!(store.query(half), Ok(vec![row]));
    let order = (Nail::ID.asc(), Hand::ID.desc(), Arm::ID.asc(), Rib::ID.asc(), Hip::ID.asc(), Leg::ID.asc());
    let rows = vec![(None, None, None, Some(2), Some(2), 2), (Some(1), Some(1), Some(1), Some(1), Some(1), 1)];
    assert_eq!(store.query(left.clone().order_by(order).select(ids)), Ok(rows));
    assert_eq!(store.query(left.aggregate((Arm::ID.count(), Rib::ID.sum()))), Ok((1, 3)));
}
