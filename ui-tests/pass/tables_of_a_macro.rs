//! Tables made by a macro of the app, several by one call, and tables that come by a glob.

#![deny(warnings)]

use larder::prelude::*;

mod notes {
    macro_rules! tables {
        ($($name:ident $sql:literal $field:ident)*) => {$(
            #[derive(larder::Table)]
            #[table(name = $sql)]
            pub struct $name {
                #[table(primary_key)]
                pub id: i64,
                pub $field: String,
            }
        )*};
    }

    tables! {
        Note "notes" text
        Label "labels" name
        Folder "folders" title
    }
}

use notes::*;

#[derive(Event)]
enum NoteEvent {
    #[event(name = "v1.NoteWritten")]
    Written(i64),
}

#[derive(StoreSchema)]
#[schema(events = NoteEvent, tables(Note, Label, Folder))]
struct NoteSchema;

#[larder::materializer]
impl Materializer for NoteSchema {
    fn materialize(event: &NoteEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let NoteEvent::Written(id) = event;
        tables.insert(Note { id: *id, text: String::new() })?;
        tables.insert(Label { id: *id, name: String::new() })?;
        tables.insert(Folder { id: *id, title: String::new() })
    }
}

define_store! {
    NoteStore {
        name: "notes",
        schema: NoteSchema,
        adapter: SqliteAdapter::persisted(),

        queries {
            fn all() -> Vec<(String, String, String)> =
                "SELECT text, name, title FROM notes JOIN labels USING (id) JOIN folders USING (id)";
        }
    }
}

fn main() {
    let reads = NoteStore::all().reads();
    assert_eq!(reads.len(), 3);
    let _ = NoteEvent::Written(1);
}
