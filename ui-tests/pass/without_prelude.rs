//! A table's queries need no trait in scope, nor does code that is generic over tables.

#![deny(warnings, missing_docs)]

mod model {
    #[derive(larder::Table)]
    pub(crate) struct Issue {
        #[table(primary_key)]
        pub(crate) number: i64,
        #[table(primary_key)]
        pub(crate) project: String,
    }

    /// With the modules' docs required, too.
    #[derive(larder::Table)]
    pub struct Setting {
        /// Which one.
        #[table(primary_key)]
        pub name: String,
    }

    #[derive(larder::Table)]
    pub(super) struct Unused {
        #[table(primary_key)]
        pub(super) number: i64,
    }
}

/// What a helper over any table looks like.
pub fn newest<T: larder::Table>() -> larder::Select<T> {
    T::all().limit(3)
}

fn main() {
    let _ = model::Issue::filter(model::Issue::NUMBER.gt(3)).limit(20).offset(3_usize);
    let _ = (model::Issue::all(), model::Issue::by_key((7, "larder")), newest::<model::Setting>());
    let _ = model::Setting::by_key("theme");
    let _ = model::Unused { number: 1 }.number;
}
