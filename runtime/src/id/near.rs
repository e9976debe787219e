//! Ids that are spelt nearly like another.

use super::StoreId;

/// Those of `ids` that may have been meant by `wanted`, the nearest first.
pub(crate) fn nearest(wanted: &StoreId, ids: impl IntoIterator<Item = StoreId>, most: usize) -> Vec<StoreId> {
    let limit = (wanted.as_str().len() / 4).clamp(1, 3);
    let others = ids.into_iter().filter(|id| id != wanted);
    let mut near: Vec<_> = others.map(|id| (distance(wanted.as_str(), id.as_str()), id)).collect();
    near.retain(|(distance, _)| *distance <= limit);
    near.sort();
    near.truncate(most);
    near.into_iter().map(|(_, id)| id).collect()
}

/// How many letters must be added, removed or replaced; upper and lower case are one.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, left) in from.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, right) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(!left.eq_ignore_ascii_case(&right));
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{StoreId, nearest};

    #[test]
    fn what_is_spelt_nearly_so_is_found_the_nearest_first() {
        let id = |text: &str| text.parse::<StoreId>().expect("an id");
        let known = || ["issue:12", "issue:112", "Issue:1", "isue:21", "workspace:1", "issue:1"].map(id);
        let found = |wanted: &str| nearest(&id(wanted), known(), 2).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found("issue:2"), ["Issue:1", "issue:1"]);
        assert_eq!(found("issue:1"), ["Issue:1", "issue:12"], "never itself");
        assert_eq!(found("worksapce:1"), ["workspace:1"]);
        assert!(found("settings").is_empty());
        assert_eq!(nearest(&id("a"), ["b", "bc", "ab"].map(id), 9), ["ab", "b"].map(id));
    }
}
