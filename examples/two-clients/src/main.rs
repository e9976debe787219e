//! Two clients of one backend: both edit offline, both come back, and both have one log. Printed in event notation: `e1 e2 | e3` is a
//! log with one pending event, `e3r1` an event that the first rebase has renumbered.

use std::{sync::Arc, time::Duration};

use larder::{LocalBackend, StoreOptions, SyncBackend, prelude::*, testing::TestRegistry};

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "items")]
struct Item {
    #[table(primary_key)]
    name: String,
    bought: bool,
}

#[derive(Event, Clone, Debug, PartialEq)]
enum ListEvent {
    #[event(name = "v1.ItemAdded")]
    Added { name: String },
    #[event(name = "v1.ItemBought")]
    Bought { name: String },
    /// What somebody looks at is nobody else's business.
    #[event(name = "v1.ItemSelected", client_only)]
    Selected { name: String },
}

#[derive(StoreSchema)]
#[schema(events = ListEvent, tables(Item), version = 1)]
struct ListSchema;

#[larder::materializer]
impl Materializer for ListSchema {
    fn materialize(event: &ListEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            // The second one who adds an item is refused: after a rebase the event is quarantined.
            ListEvent::Added { name } => tables.insert(Item { name: name.clone(), bought: false }),
            ListEvent::Bought { name } => tables.update(Item::by_key(name)).set(Item::BOUGHT, true).run_one(),
            ListEvent::Selected { .. } => Ok(()),
        }
    }
}

define_store! {
    /// What a household is to buy.
    ListStore {
        name: "list",
        schema: ListSchema,
        adapter: SqliteAdapter::in_memory(),
    }
}

fn added(name: &str) -> ListEvent {
    ListEvent::Added { name: name.to_owned() }
}

fn bought(name: &str) -> ListEvent {
    ListEvent::Bought { name: name.to_owned() }
}

/// A registry with a connection of its own. Its clock stands still, so that every run prints the same.
struct Client {
    name: &'static str,
    registry: TestRegistry,
    connection: Arc<LocalBackend>,
}

impl Client {
    fn new(name: &'static str, connection: Arc<LocalBackend>) -> Result<Self, LoadError> {
        let options = StoreOptions::new().sync(Arc::clone(&connection) as Arc<dyn SyncBackend>);
        let registry = TestRegistry::build(StoreRegistry::builder().in_memory().defaults(options))?;
        Ok(Self { name, registry, connection })
    }

    /// Cuts or mends the connection, and lets happen what follows from it.
    async fn connected(&self, connected: bool) {
        self.connection.set_connected(connected);
        self.registry.advance(Duration::from_secs(30)).await;
    }

    fn show(&self, list: &Store<ListStore>) -> Result<(), Box<dyn std::error::Error>> {
        let items = list.query(Item::all().order_by(Item::NAME.asc()))?;
        let items = items.iter().map(|item| if item.bought { format!("({})", item.name) } else { item.name.clone() });
        let items = items.collect::<Vec<_>>().join(", ");
        println!("{:>5}  {:<32} {items}", self.name, list.log_numbers()?.to_string());
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let backend = LocalBackend::new("memory");
    let (ann, bob) = (Client::new("ann", backend.another())?, Client::new("bob", backend.another())?);
    let (anns, bobs) = (ann.registry.get::<ListStore>("home").await?, bob.registry.get::<ListStore>("home").await?);

    println!(
        "Of each client: its log, with what is not agreed yet behind `|`, and its list, with what is bought in brackets."
    );
    println!("`e2.1` stays with the client that it is of, and `r1` means that it was rebased once.\n");
    println!("both are online, ann adds flour");
    anns.commit(added("flour"))?.confirmed().await?;
    bob.connected(true).await;
    ann.show(&anns)?;
    bob.show(&bobs)?;

    println!("\nboth are offline and edit");
    ann.connected(false).await;
    bob.connected(false).await;
    anns.commit([added("sugar"), ListEvent::Selected { name: "sugar".to_owned() }])?;
    bobs.commit([bought("flour"), ListEvent::Selected { name: "flour".to_owned() }])?;
    let sugar = bobs.commit(added("sugar"))?;
    bobs.commit(added("tea"))?;
    ann.show(&anns)?;
    bob.show(&bobs)?;

    println!("\nann is back first: what she has done is agreed");
    ann.connected(true).await;
    ann.show(&anns)?;

    println!("\nbob is back: what he has done comes behind it, and the second sugar cannot");
    bob.connected(true).await;
    ann.registry.settle().await;
    bob.show(&bobs)?;
    ann.show(&anns)?;
    if let Err(error) = sugar.confirmed().await {
        println!("  bob  {error}");
    }

    let one = anns.query(Item::all().order_by(Item::NAME.asc()))?;
    let other = bobs.query(Item::all().order_by(Item::NAME.asc()))?;
    assert_eq!(one, other, "both have the same tables");
    Ok(())
}
