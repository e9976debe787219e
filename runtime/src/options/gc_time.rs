//! How long a store stays loaded without observers.

use std::{fmt, time::Duration};

/// How long a store stays loaded after its last handle is dropped.
///
/// ```
/// use larder::GcTime;
/// assert!(GcTime::seconds(60) < GcTime::minutes(2));
/// assert!(GcTime::from(std::time::Duration::MAX) < GcTime::NEVER);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GcTime(Inner);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Inner {
    After(Duration),
    Never,
}

impl GcTime {
    /// The store is never disposed for being idle.
    pub const NEVER: Self = Self(Inner::Never);

    /// The default: 60 seconds, as in the proposal.
    pub const DEFAULT: Self = Self::seconds(60);

    /// The store is disposed as soon as its last handle is dropped.
    pub const ZERO: Self = Self::seconds(0);

    /// This many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Inner::After(Duration::from_secs(seconds)))
    }

    /// This many minutes; saturates.
    pub const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes.saturating_mul(60))
    }

    /// The duration; `None` for [`NEVER`](Self::NEVER).
    pub const fn duration(self) -> Option<Duration> {
        match self.0 {
            Inner::After(duration) => Some(duration),
            Inner::Never => None,
        }
    }
}

/// Where a registry runs, which decides the gc time when no layer says one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    /// An app: stores without observers stay loaded for 60 seconds.
    #[default]
    Client,
    /// A server that renders: stores live as long as the request's registry.
    Server,
}

impl Environment {
    pub(crate) const fn gc_time(self) -> GcTime {
        match self {
            Self::Client => GcTime::DEFAULT,
            Self::Server => GcTime::NEVER,
        }
    }
}

impl From<Duration> for GcTime {
    fn from(duration: Duration) -> Self {
        Self(Inner::After(duration))
    }
}

/// A gc time, or a [`Duration`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a gc time",
    label = "expected a `GcTime`",
    note = "write `GcTime::seconds(60)`, `GcTime::minutes(5)`, `GcTime::NEVER`, or a `Duration`"
)]
pub trait IntoGcTime {
    /// The gc time.
    fn into_gc_time(self) -> GcTime;
}

#[diagnostic::do_not_recommend]
impl<T: Into<GcTime>> IntoGcTime for T {
    fn into_gc_time(self) -> GcTime {
        self.into()
    }
}

impl fmt::Debug for GcTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Inner::After(duration) => write!(formatter, "{duration:?}"),
            Inner::Never => formatter.write_str("never"),
        }
    }
}
