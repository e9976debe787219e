//! The classes of damage, and what may be said of each: derived from what is checked when, not from what a run happened to find.

use larder_tests::ledger::Mix;

use super::{
    judge::Outcome::{self, Corrupt, Log, Lost, NewerFormat, Rebuilt, Storage, Tables, Whole, WrongFile},
    pages::PAGE,
    patients::{Copy, Patient, Patients},
    wals,
};

/// One class.
pub(super) struct Class {
    /// As the page has it.
    pub(super) name: &'static str,
    /// All that may be said.
    pub(super) allowed: &'static [Outcome],
    /// Mutations in a round of all classes.
    pub(super) weight: usize,
    /// Makes the damage, and says what it is.
    pub(super) damage: fn(&Patients, &mut Mix) -> (Copy, String),
}

/// Of a page of the log: every row that is read is checked, and the last ones and their count are read at every opening. SQLite may find the
/// page damaged at the opening, when events are read, or when a rebuild reads them.
const LOG: &[Outcome] = &[Whole, Log, Corrupt];

/// Of a page of a table or an index: `verify` compares, SQLite finds what is no page. It is not read at the opening.
const TABLE: &[Outcome] = &[Whole, Tables];

/// Of what larder or SQLite notes of the file: whose it is, which format it has, where its b-trees begin.
const NOTES: &[Outcome] = &[Whole, Rebuilt, Tables, Log, Corrupt, WrongFile, NewerFormat, Storage];

/// Of any page.
const PAGES: &[Outcome] = NOTES;

pub(super) const CLASSES: &[Class] = &[
    Class { name: "a bit in the log", allowed: LOG, weight: 14, damage: |all, mix| flip(all, mix, &all.pages.log) },
    Class {
        name: "a bit in a table",
        allowed: TABLE,
        weight: 10,
        damage: |all, mix| flip(all, mix, &all.pages.tables),
    },
    Class {
        name: "a bit in an index",
        allowed: TABLE,
        weight: 8,
        damage: |all, mix| flip(all, mix, &all.pages.indexes),
    },
    Class { name: "a bit in the file's header", allowed: NOTES, weight: 8, damage: header },
    Class {
        name: "a bit in what larder notes",
        allowed: NOTES,
        weight: 10,
        damage: |all, mix| flip(all, mix, &all.pages.notes),
    },
    Class { name: "the beginning of a page", allowed: PAGES, weight: 12, damage: page_header },
    Class { name: "a page of zeros", allowed: PAGES, weight: 6, damage: zeros },
    Class { name: "the end of a page of zeros", allowed: PAGES, weight: 6, damage: end_of_zeros },
    Class { name: "a sector of anything", allowed: PAGES, weight: 6, damage: noise },
    Class { name: "two pages in each other's place", allowed: PAGES, weight: 6, damage: swap },
    Class { name: "a page of an earlier time", allowed: PAGES, weight: 6, damage: stale },
    Class { name: "a file that was cut", allowed: PAGES, weight: 6, damage: cut },
    Class { name: "a file that is empty or missing", allowed: &[Corrupt], weight: 1, damage: gone },
    Class { name: "a page below a `-wal`", allowed: PAGES, weight: 6, damage: below },
    Class { name: "the `-wal` is missing", allowed: &[Corrupt], weight: 1, damage: wals::missing },
    Class { name: "the `-wal` of another store", allowed: &[WrongFile, Corrupt], weight: 1, damage: wals::foreign },
    Class {
        name: "the `-wal` of an earlier opening",
        allowed: &[WrongFile, Corrupt],
        weight: 1,
        damage: wals::earlier,
    },
    Class { name: "the `-wal` of an earlier moment", allowed: &[Lost], weight: 1, damage: wals::before },
    Class { name: "the `-wal` is cut", allowed: &[Lost], weight: 5, damage: wals::cut },
    Class { name: "the `-wal` is cut and the `-shm` is missing", allowed: &[Lost], weight: 5, damage: wals::cut_alone },
    Class { name: "a bit in the `-wal`", allowed: &[Lost], weight: 8, damage: wals::flip },
    Class { name: "a `-wal` damaged after a checkpoint", allowed: &[Whole, Lost], weight: 6, damage: wals::moved },
    Class { name: "the `-shm` is missing", allowed: &[Lost], weight: 1, damage: wals::no_index },
    Class { name: "the `-shm` is empty or of zeros", allowed: &[Lost], weight: 1, damage: wals::empty_index },
    Class { name: "a bit in the `-shm`", allowed: &[Whole, Lost], weight: 4, damage: wals::flip_index },
    Class { name: "the lock file is missing or no longer larder's", allowed: &[Whole], weight: 2, damage: wals::lock },
    Class { name: "another store's file in its place", allowed: &[WrongFile], weight: 1, damage: other },
    Class { name: "another program's file in its place", allowed: &[WrongFile, Corrupt], weight: 1, damage: foreign },
    Class { name: "the catalog", allowed: &[Whole, Storage], weight: 3, damage: catalog },
];

/// One of so many.
pub(super) fn pick(mix: &mut Mix, below: usize) -> usize {
    (mix.number() % below.max(1) as u64) as usize
}

/// Changes a copy's file.
fn change(all: &Patients, patient: &Patient, damage: impl FnOnce(&mut Vec<u8>) -> String) -> (Copy, String) {
    let copy = all.copy(patient);
    let mut bytes = copy.read("");
    let what = damage(&mut bytes);
    copy.write("", &bytes);
    (copy, what)
}

fn flip(all: &Patients, mix: &mut Mix, pages: &[usize]) -> (Copy, String) {
    let (page, bit) = (pages[pick(mix, pages.len())], pick(mix, PAGE * 8));
    change(all, &all.closed, |bytes| {
        bytes[(page - 1) * PAGE + bit / 8] ^= 1 << (bit % 8);
        format!("bit {} of byte {} of page {page}", bit % 8, bit / 8)
    })
}

fn header(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let bit = pick(mix, 100 * 8);
    change(all, &all.closed, |bytes| {
        bytes[bit / 8] ^= 1 << (bit % 8);
        format!("bit {} of byte {}", bit % 8, bit / 8)
    })
}

/// The b-tree's header and the places of the cells: what decides which rows a page shows.
fn page_header(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let page = all.pages.all[pick(mix, all.pages.all.len())];
    let (at, bit) = (if page == 1 { 100 } else { 0 } + pick(mix, 24), pick(mix, 8));
    change(all, &all.closed, |bytes| {
        bytes[(page - 1) * PAGE + at] ^= 1 << bit;
        format!("bit {bit} of byte {at} of page {page}, {}", all.pages.what(page))
    })
}

fn any_page(all: &Patients, mix: &mut Mix) -> (usize, String) {
    let page = all.pages.all[pick(mix, all.pages.all.len())];
    (page, format!("page {page}, {}", all.pages.what(page)))
}

fn zeros(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let (page, what) = any_page(all, mix);
    change(all, &all.closed, |bytes| {
        bytes[(page - 1) * PAGE..page * PAGE].fill(0);
        what
    })
}

fn end_of_zeros(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let ((page, what), sector) = (any_page(all, mix), 1 + pick(mix, 7));
    change(all, &all.closed, |bytes| {
        bytes[(page - 1) * PAGE + sector * 512..page * PAGE].fill(0);
        format!("from sector {sector} of {what}")
    })
}

fn noise(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let ((page, what), sector) = (any_page(all, mix), pick(mix, 8));
    change(all, &all.closed, |bytes| {
        let at = (page - 1) * PAGE + sector * 512;
        bytes[at..at + 512].fill_with(|| mix.number() as u8);
        format!("sector {sector} of {what}")
    })
}

fn swap(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let ((one, what), (two, and)) = (any_page(all, mix), any_page(all, mix));
    change(all, &all.closed, |bytes| {
        let (one, two) = ((one - 1) * PAGE, (two - 1) * PAGE);
        let kept = bytes[one..one + PAGE].to_vec();
        bytes.copy_within(two..two + PAGE, one);
        bytes[two..two + PAGE].copy_from_slice(&kept);
        format!("{what} and {and}")
    })
}

/// A write that the disk said it had done.
fn stale(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let earlier = all.file(&all.earlier, "");
    let page = 1 + pick(mix, earlier.len() / PAGE);
    change(all, &all.closed, |bytes| {
        let place = (page - 1) * PAGE..page * PAGE;
        bytes[place.clone()].copy_from_slice(&earlier[place]);
        format!("page {page}, {}", all.pages.what(page))
    })
}

fn cut(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    change(all, &all.closed, |bytes| {
        let length = 1 + pick(mix, bytes.len() - 1);
        bytes.truncate(length);
        format!("to {length} bytes")
    })
}

fn gone(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let patient = [&all.closed, &all.killed][pick(mix, 2)];
    let copy = all.copy(patient);
    if mix.number().is_multiple_of(2) {
        copy.write("", &[]);
        return (copy, "empty".to_owned());
    }
    copy.remove("");
    (copy, "missing".to_owned())
}

/// In the file of a store that was not closed.
fn below(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    change(all, [&all.killed, &all.moved][pick(mix, 2)], |bytes| {
        let bit = pick(mix, bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        format!("bit {bit}")
    })
}

fn other(all: &Patients, _: &mut Mix) -> (Copy, String) {
    let copy = all.copy(&all.closed);
    copy.write("", &all.file(&all.other_closed, ""));
    (copy, "that of book:2".to_owned())
}

fn foreign(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let copy = all.copy(&all.closed);
    if mix.number().is_multiple_of(2) {
        copy.write("", b"a text of somebody else, long enough for a header of a hundred bytes and more, so that it is looked at as one");
        return (copy, "a text".to_owned());
    }
    copy.remove("");
    let theirs = rusqlite::Connection::open(&copy.file).expect("a file");
    theirs.execute_batch("CREATE TABLE theirs (x)").expect("a table");
    (copy, "a database".to_owned())
}

/// The stores are found by their names all the same.
fn catalog(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let copy = all.copy(&all.closed);
    let path = copy.root.join("catalog.db");
    let mut bytes = std::fs::read(&path).expect("the catalog");
    let what = match pick(mix, 4) {
        0 => {
            std::fs::remove_file(&path).expect("the catalog");
            return (copy, "removed".to_owned());
        }
        1 => {
            bytes.truncate(pick(mix, bytes.len()));
            format!("cut to {} bytes", bytes.len())
        }
        2 => {
            bytes.fill_with(|| mix.number() as u8);
            "anything".to_owned()
        }
        _ => {
            let bit = pick(mix, bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            format!("bit {bit}")
        }
    };
    std::fs::write(path, bytes).expect("it can be written");
    (copy, what)
}
