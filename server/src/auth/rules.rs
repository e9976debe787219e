//! Access rules: which token may do what with which stores.

use std::{
    fmt,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use larder_wire::{Payload, StoreId};
use serde::Deserialize;

use super::{
    Access, Authorize, Permit, Refused, Verb,
    jwt::{Claims, Jwt, JwtConfig, JwtError},
};
use crate::{clock, storage::BoxFuture};

/// A text that no output shows.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The access rules of a configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesConfig {
    /// The field of the payload that has the token, such as `authToken`. A payload that is a text is the token itself.
    #[serde(default = "default_field")]
    pub field: String,
    /// Which tokens may do what.
    #[serde(default)]
    pub rules: Vec<RuleConfig>,
    /// How signed tokens are checked, if there are any.
    pub jwt: Option<JwtConfig>,
}

fn default_field() -> String {
    "authToken".to_owned()
}

impl Default for RulesConfig {
    fn default() -> Self {
        Self { field: default_field(), rules: Vec::new(), jwt: None }
    }
}

/// What some tokens may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Patterns of the stores: `*` stands for any text.
    pub stores: Vec<String>,
    /// The tokens.
    pub tokens: Vec<Secret>,
    /// The field of the payload that has the token, where it is another than that of all rules.
    pub field: Option<String>,
    /// What is allowed: `pull`, `push`, or both, which is what is meant where nothing is said.
    #[serde(default = "all")]
    pub allow: Vec<String>,
}

fn all() -> Vec<String> {
    vec!["pull".to_owned(), "push".to_owned()]
}

/// Why rules are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// A rule without stores or tokens, with an empty token, or whose `allow` has something else than `pull` and `push`.
    #[error("rule {number}: {what}")]
    Rule {
        /// Which, from 1.
        number: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// Signed tokens cannot be checked as it says.
    #[error("jwt: {0}")]
    Jwt(String),
}

/// Access rules, from a configuration. They may be replaced while a server runs; what they no longer permit is not done any more from then on: a pull
/// that goes on shows nothing more, and ends when there would be something to show.
pub struct Rules {
    loaded: RwLock<Arc<Loaded>>,
    revision: AtomicU64,
}

struct Loaded {
    field: String,
    rules: Vec<Rule>,
    jwt: Option<(Jwt, String)>,
}

struct Rule {
    stores: Vec<String>,
    /// Hashes, so that comparing takes the same time whatever is wrong, and memory has no tokens.
    tokens: Vec<blake3::Hash>,
    field: String,
    verbs: Vec<Verb>,
}

/// How many rules there are: what they compare with is for nobody else.
impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loaded = self.loaded.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (rules, jwt) = (loaded.rules.len(), loaded.jwt.is_some());
        f.debug_struct("Rules").field("rules", &rules).field("jwt", &jwt).finish_non_exhaustive()
    }
}

impl Rules {
    /// The rules of a configuration.
    ///
    /// # Errors
    /// [`RulesError`]: which rule is wrong, and how.
    pub fn new(config: &RulesConfig) -> Result<Self, RulesError> {
        Ok(Self { loaded: RwLock::new(Arc::new(Loaded::new(config)?)), revision: AtomicU64::new(0) })
    }

    /// Replaces all rules.
    ///
    /// # Errors
    /// [`RulesError`]; then the rules are what they were.
    pub fn replace(&self, config: &RulesConfig) -> Result<(), RulesError> {
        let loaded = Arc::new(Loaded::new(config)?);
        *self.loaded.write().unwrap_or_else(std::sync::PoisonError::into_inner) = loaded;
        self.revision.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }
}

impl Authorize for Rules {
    fn authorize<'a>(&'a self, access: Access<'a>) -> BoxFuture<'a, Result<Permit, Refused>> {
        let loaded = self.loaded.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        Box::pin(std::future::ready(loaded.decide(access, clock::now_ms())))
    }

    fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }
}

impl Loaded {
    fn new(config: &RulesConfig) -> Result<Self, RulesError> {
        let rules = config.rules.iter().zip(1..).map(|(rule, number)| Rule::new(rule, number, &config.field));
        let rules = rules.collect::<Result<_, _>>()?;
        let jwt = config.jwt.as_ref().map(|jwt| {
            Jwt::new(jwt).map(|checker| (checker, jwt.field.clone().unwrap_or_else(|| config.field.clone())))
        });
        Ok(Self { field: config.field.clone(), rules, jwt: jwt.transpose()? })
    }

    fn decide(&self, access: Access<'_>, now_ms: i64) -> Result<Permit, Refused> {
        let token = |field: &str| find_token(access.payload, field, access.headers);
        let mut why = JwtError::NotOurs;
        let (mut known, mut any) = (false, false);
        for rule in &self.rules {
            let Some(token) = token(&rule.field) else { continue };
            any = true;
            let hash = blake3::hash(token.as_bytes());
            // Without a short cut: time tells nothing of where a token stands.
            let mine = rule.tokens.iter().fold(false, |found, known| found | (*known == hash));
            known |= mine;
            if mine && rule.permits(access.verb, access.store) {
                return Ok(Permit::default());
            }
        }
        if let Some((jwt, field)) = &self.jwt
            && let Some(token) = token(field)
        {
            any = true;
            match jwt.check(token, now_ms.div_euclid(1_000)) {
                Ok(claims) if claims.permit(access.verb, access.store) => {
                    let left = claims.expires.saturating_mul(1_000).saturating_sub(now_ms);
                    return Ok(Permit { valid_for: Some(Duration::from_millis(left.try_into().unwrap_or(0))) });
                }
                Ok(_) => known = true,
                Err(error) => why = error,
            }
        }
        if known {
            return Err(Refused::Forbidden("this token is not for that".to_owned()));
        }
        Err(Refused::Unauthenticated(if any {
            why.to_string()
        } else {
            format!("there is no token; put one into the payload's field `{}`", self.field)
        }))
    }
}

impl Rule {
    fn new(config: &RuleConfig, number: usize, field: &str) -> Result<Self, RulesError> {
        let wrong = |what| Err(RulesError::Rule { number, what });
        if config.stores.is_empty() {
            return wrong("it has no stores; `*` stands for all");
        }
        if config.tokens.is_empty() || config.tokens.iter().any(|token| token.expose().is_empty()) {
            return wrong("it has no tokens, or an empty one");
        }
        let verbs = config.allow.iter().map(|verb| match verb.as_str() {
            "pull" => Some(Verb::Pull),
            "push" => Some(Verb::Push),
            _ => None,
        });
        let Some(verbs) = verbs.collect::<Option<Vec<_>>>().filter(|verbs| !verbs.is_empty()) else {
            return wrong("`allow` has something else than `pull` and `push`");
        };
        let tokens = config.tokens.iter().map(|token| blake3::hash(token.expose().as_bytes())).collect();
        let field = config.field.clone().unwrap_or_else(|| field.to_owned());
        Ok(Self { stores: config.stores.clone(), tokens, field, verbs })
    }

    fn permits(&self, verb: Verb, store: Option<&StoreId>) -> bool {
        permits(&self.stores, |wanted| self.verbs.contains(&wanted), verb, store)
    }
}

impl Claims {
    fn permit(&self, verb: Verb, store: Option<&StoreId>) -> bool {
        let allowed = |wanted| {
            let name = if wanted == Verb::Pull { "pull" } else { "push" };
            self.allow.as_ref().is_none_or(|allow| allow.iter().any(|allowed| allowed == name))
        };
        permits(&self.stores, allowed, verb, store)
    }
}

fn permits(patterns: &[String], allows: impl Fn(Verb) -> bool, verb: Verb, store: Option<&StoreId>) -> bool {
    let verb_allowed = match verb {
        Verb::Connect => allows(Verb::Pull) || allows(Verb::Push),
        verb => allows(verb),
    };
    // Who connects without a store has many; each is asked for by itself.
    verb_allowed && store.is_none_or(|store| patterns.iter().any(|pattern| matches(pattern, store.as_str())))
}

/// Whether a text fits a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn find_token<'a>(payload: Option<&'a Payload>, field: &str, headers: &'a HeaderMap) -> Option<&'a str> {
    let of_payload = payload.and_then(|payload| payload.0.as_str().or_else(|| payload.0.get(field)?.as_str()));
    let of_header = || headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
    of_payload.or_else(of_header).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::matches;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "a"),
            ("a", "a"),
            ("a:*", "a:"),
            ("a:*", "a:b:c"),
            ("*:b", "a:b"),
            ("a*c*e", "abcde"),
            ("a**", "a"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", "ab"),
            ("a", "A"),
            ("a:*", "ab"),
            ("a:*", "xa:"),
            ("*:b", "a:bc"),
            ("a*b", "ab:a"),
            ("ab*ba", "aba"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_means_what_a_slow_search_says(pattern in "[ab*]{0,6}", text in "[ab]{0,6}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|at| slow(rest, &text[at..])),
                    Some((first, rest)) => text.split_first().is_some_and(|(byte, after)| byte == first && slow(rest, after)),
                }
            }
            prop_assert_eq!(matches(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
