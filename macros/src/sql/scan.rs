//! Whether SQLite reads a whole table for a query: by the program that it makes of the statement, not by its plan in words.
//!
//! The plan names a subquery once by its own name and once by its alias, says `SEARCH` of every single `min` or `max`, and does not tell
//! an index that is there from one that SQLite makes on the way. The program steps over a table's rows by `Next` or `Prev`, and marks in
//! the fifth parameter each step that no condition on an index limits.

use std::collections::BTreeMap;

use super::Database;

/// One instruction.
struct Step {
    name: String,
    /// The cursor, where there is one.
    first: i64,
    /// Where it jumps to, or the root page of what it opens.
    second: i64,
    fifth: i64,
}

/// Instructions that use their second parameter for something else than a jump; of any other a jump is assumed.
const NO_JUMPS: &[&str] = &[
    "AggFinal",
    "AggStep",
    "Affinity",
    "Column",
    "Copy",
    "DeferredSeek",
    "Integer",
    "MakeRecord",
    "Null",
    "OpenEphemeral",
    "OpenRead",
    "ReopenIdx",
    "ResultRow",
    "Rowid",
    "SCopy",
    "String8",
    "Transaction",
    "Variable",
];

impl Database {
    /// A table that is read from its first row to its last.
    pub(super) fn scanned(&self, sql: &str) -> Option<String> {
        let program = self.program(sql).ok()?;
        let mut opened: BTreeMap<i64, i64> = BTreeMap::new();
        for step in program.iter().filter(|step| matches!(step.name.as_str(), "OpenRead" | "ReopenIdx")) {
            opened.insert(step.first, step.second);
        }
        let scanned = |(at, step): (usize, &Step)| {
            let scans = match step.name.as_str() {
                "Next" | "Prev" => step.fifth != 0 && is_reached(&program, at),
                // `count(*)`: the rows are counted by walking over all pages.
                "Count" => true,
                _ => false,
            };
            // What is not opened by its page was made on the way.
            opened.get(&step.first).filter(|_| scans)
        };
        let root = program.iter().enumerate().find_map(scanned)?;
        let named = "SELECT tbl_name FROM sqlite_schema WHERE rootpage = ?";
        self.sqlite.query_row(named, [root], |row| row.get(0)).ok()
    }

    fn program(&self, sql: &str) -> rusqlite::Result<Vec<Step>> {
        let mut statement = self.sqlite.prepare(&format!("EXPLAIN {sql}"))?;
        // The program is the same whatever the parameters are.
        let mut rows = statement.raw_query();
        let mut program = Vec::new();
        while let Some(row) = rows.next()? {
            program.push(Step {
                name: row.get("opcode")?,
                first: row.get("p1")?,
                second: row.get("p2")?,
                fifth: row.get("p5")?,
            });
        }
        Ok(program)
    }
}

/// Whether the program ever comes to the instruction at `at`. The first row of an index is a `min`: there a jump out of the loop stands
/// before the step to the next row, and nothing else leads to it.
fn is_reached(program: &[Step], at: usize) -> bool {
    let passed_over = at.checked_sub(1).is_some_and(|before| program[before].name == "Goto");
    let leads_here = |step: &Step| usize::try_from(step.second) == Ok(at) && !NO_JUMPS.contains(&step.name.as_str());
    !passed_over || program.iter().any(leads_here)
}
