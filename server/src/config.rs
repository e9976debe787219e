//! A server's configuration file.

use std::{fs, path::Path, path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::{Rules, RulesConfig, RulesError, Settings, SettingsError};

/// What a TOML file may say. Flags and environment come before it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The directory of the log.
    pub data: Option<PathBuf>,
    /// Where to listen, such as `127.0.0.1:7717`.
    pub listen: Option<String>,
    /// How much is logged: `error`, `warn`, `info`, `debug` or `trace`.
    pub log: Option<String>,
    /// Whether everybody may do everything, where there are no rules.
    #[serde(default)]
    pub open: bool,
    /// The origins whose pages may connect; left out: all.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Limits that are others than usual.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Who may do what.
    pub auth: Option<RulesConfig>,
}

/// The limits of a configuration; each left out is as usual.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Bytes of an event.
    pub event_bytes: Option<usize>,
    /// Events of a push.
    pub batch_events: Option<usize>,
    /// Bytes of a push's events.
    pub batch_bytes: Option<usize>,
    /// Bytes of a message.
    pub message_bytes: Option<usize>,
    /// Levels of JSON.
    pub json_depth: Option<usize>,
    /// Pushes a second and connection.
    pub pushes_per_second: Option<u32>,
    /// Bytes a second and connection.
    pub bytes_per_second: Option<u64>,
    /// Stores a connection.
    pub stores_per_connection: Option<usize>,
    /// Frames that may wait for a reader.
    pub queue_frames: Option<usize>,
    /// Bytes that may wait for a reader.
    pub queue_bytes: Option<usize>,
    /// Seconds that a reader may have more than that waiting.
    pub slow_reader_seconds: Option<f64>,
    /// Seconds until the first request must be permitted.
    pub unauthenticated_seconds: Option<f64>,
    /// Seconds after which a live pull is permitted anew.
    pub permit_seconds: Option<f64>,
    /// Connections at once.
    pub connections: Option<usize>,
    /// Seconds that a stopping server waits.
    pub shutdown_seconds: Option<f64>,
}

/// Why a configuration is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The file is not as it must be. What stands there is not repeated: it may be a token.
    #[error("{path}, line {line}: {what}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A time is no time.
    #[error("`{name}` is no number of seconds; give one that is not negative, such as `2.5`")]
    Seconds {
        /// Which.
        name: &'static str,
    },
    /// A limit leaves nobody anything.
    #[error("limits: {0}")]
    Settings(#[from] SettingsError),
    /// The rules are none.
    #[error("auth: {0}")]
    Rules(#[from] RulesError),
}

/// Deeper arguments no app reads: larder's parser, `serde_json`, gives up at 128 levels, and what is around them has some.
const JSON_DEPTH: usize = 119;

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`]: the file is not there, or a line is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            ConfigError::Parse { path: path.to_owned(), line, what: harmless(error.message()) }
        })
    }

    /// The settings that it makes.
    ///
    /// # Errors
    /// [`ConfigError::Seconds`]: a time is none. [`ConfigError::Settings`]: a limit leaves nobody anything, or no app
    /// could read what it permits.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let mut settings = Settings { origins: self.origins.clone(), ..Settings::default() };
        let limits = &self.limits;
        set(&mut settings.wire.event_bytes, limits.event_bytes);
        set(&mut settings.wire.batch_events, limits.batch_events);
        set(&mut settings.wire.batch_bytes, limits.batch_bytes);
        set(&mut settings.wire.message_bytes, limits.message_bytes);
        if limits.json_depth.is_some_and(|depth| depth > JSON_DEPTH) {
            return Err(SettingsError::TooMuch { name: "json_depth", most: JSON_DEPTH, usual: "64" }.into());
        }
        set(&mut settings.wire.json_depth, limits.json_depth);
        set(&mut settings.pushes_per_second, limits.pushes_per_second);
        set(&mut settings.bytes_per_second, limits.bytes_per_second);
        set(&mut settings.stores_per_connection, limits.stores_per_connection);
        set(&mut settings.queue_frames, limits.queue_frames);
        set(&mut settings.queue_bytes, limits.queue_bytes);
        set(&mut settings.connections, limits.connections);
        let seconds = |name, seconds: Option<f64>| {
            let time =
                seconds.map(|seconds| Duration::try_from_secs_f64(seconds).map_err(|_| ConfigError::Seconds { name }));
            time.transpose()
        };
        set(&mut settings.slow_reader, seconds("slow_reader_seconds", limits.slow_reader_seconds)?);
        set(&mut settings.unauthenticated, seconds("unauthenticated_seconds", limits.unauthenticated_seconds)?);
        set(&mut settings.permit, seconds("permit_seconds", limits.permit_seconds)?);
        set(&mut settings.shutdown, seconds("shutdown_seconds", limits.shutdown_seconds)?);
        settings.check()?;
        Ok(settings)
    }

    /// The rules that it makes; none where it has none.
    ///
    /// # Errors
    /// [`ConfigError::Rules`]: which rule is wrong, and how.
    pub fn rules(&self) -> Result<Option<Rules>, ConfigError> {
        Ok(self.auth.as_ref().map(Rules::new).transpose()?)
    }
}

fn set<T>(setting: &mut T, other: Option<T>) {
    if let Some(other) = other {
        *setting = other;
    }
}

/// What a parser says, unless it repeats a value.
fn harmless(message: &str) -> String {
    let known = ["unknown field `", "missing field `", "duplicate key"];
    match known.iter().any(|known| message.starts_with(known)) {
        true => message.to_owned(),
        false => "this is no TOML, or a value of the wrong type".to_owned(),
    }
}
