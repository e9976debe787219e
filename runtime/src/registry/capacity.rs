//! How many stores may be loaded at once, from the limit of open files.

/// A store with a file holds four open files (database, `-wal`, `-shm`, lock), and SQLite keeps the descriptors of a closed reader and of
/// a closed checkpoint until the store is closed, because POSIX locks go with the first close.
const FILES_PER_STORE: usize = 6;
/// A reader connection holds two more.
const FILES_PER_READER: usize = 2;
/// Left to the app, at least; else an eighth of the limit.
const RESERVE: usize = 64;
/// Where the limit cannot be asked for without unsafe code: the soft limit of macOS, the lowest in use.
const FALLBACK_LIMIT: usize = 256;
/// More is never needed, and an unlimited number of files says nothing of memory.
const MOST: usize = 65_536;

/// How many stores may be loaded at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capacity {
    /// The app's number: all stores count.
    Given(usize),
    /// What the limit of open files allows: stores in memory do not count.
    OpenFiles(usize),
}

impl Capacity {
    pub(crate) fn limit(self) -> usize {
        match self {
            Self::Given(limit) | Self::OpenFiles(limit) => limit,
        }
    }

    pub(crate) fn counts(self, in_memory: bool) -> bool {
        matches!(self, Self::Given(_)) || !in_memory
    }

    /// What the process's soft limit of open files allows beside so many reader connections. On Linux the limit is read from
    /// `/proc/self/limits`; elsewhere 256 files are assumed.
    pub(crate) fn of_open_files(readers: usize) -> Self {
        let limit = std::fs::read_to_string("/proc/self/limits").ok().and_then(|limits| soft_limit(&limits));
        Self::OpenFiles(fitting(limit.unwrap_or(FALLBACK_LIMIT), readers))
    }
}

fn fitting(files: usize, readers: usize) -> usize {
    let reserve = RESERVE.max(files / 8).min(files / 2);
    let for_stores = files.saturating_sub(reserve).saturating_sub(readers.saturating_mul(FILES_PER_READER));
    (for_stores / FILES_PER_STORE).clamp(1, MOST)
}

fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_first_number() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             unlimited            unlimited            processes \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(soft_limit(limits), Some(1024));
        assert_eq!(
            soft_limit("Max open files            unlimited            unlimited            files"),
            Some(usize::MAX)
        );
        assert_eq!(soft_limit("nothing of the kind"), None);
    }

    #[test]
    fn stores_and_readers_fit_the_limit() {
        for files in [1, 64, 256, 1024, 4096, 1 << 20] {
            let stores = fitting(files, 16);
            assert!(
                stores == 1 || stores * FILES_PER_STORE + 16 * FILES_PER_READER + RESERVE <= files,
                "{files} files"
            );
        }
        assert_eq!(fitting(1024, 16), 144);
        assert_eq!(fitting(usize::MAX, 16), MOST);
        assert_eq!(fitting(1024, usize::MAX), 1);
    }
}
