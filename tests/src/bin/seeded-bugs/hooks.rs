//! The places in larder's sources where bugs are seeded: each has an entry in the list, and the other way round.

use std::{collections::BTreeSet, error::Error, fs, path::Path};

use super::{bugs::Bug, build::workspace};

/// Compares the list with the sources.
pub(crate) fn check(bugs: &[&Bug]) -> Result<(), Box<dyn Error>> {
    let mut seeded = BTreeSet::new();
    collect(&workspace().join("runtime/src"), &mut seeded)?;
    let listed: BTreeSet<String> = bugs.iter().map(|bug| bug.name.to_owned()).collect();
    match seeded.symmetric_difference(&listed).next() {
        Some(name) if listed.contains(name) => {
            Err(format!("the bug `{name}` is in the list and nowhere in larder").into())
        }
        Some(name) => Err(format!("the bug `{name}` is in larder and not in the list").into()),
        None if listed.len() < bugs.len() => Err("two bugs have one name".into()),
        None => Ok(()),
    }
}

fn collect(folder: &Path, seeded: &mut BTreeSet<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, seeded)?;
        } else {
            let text = fs::read_to_string(&path)?;
            let names = text.split("bug(\"").skip(1).filter_map(|rest| rest.split('"').next());
            seeded.extend(names.map(str::to_owned));
        }
    }
    Ok(())
}
