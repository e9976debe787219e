//! What merges per key over the cascade: `sync_payload` and telemetry attributes.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use serde_json::Value;

use crate::{definition::BoxFuture, error::BoxError};

type Entries = BTreeMap<String, Value>;
type Provider = dyn Fn() -> BoxFuture<'static, Result<Payload, BoxError>> + Send + Sync;

/// What a sync backend is told with every request, such as a token: keys with values, or a function that is asked for them whenever they
/// are needed. Layers merge per top-level key; a `null` removes the key. Never logged: `Debug` shows the keys only.
///
/// ```
/// use larder::Payload;
/// let defaults = Payload::new().with("authToken", "secret").with("apiVersion", "v2");
/// let call = Payload::new().with("authToken", "other").without("apiVersion");
/// let merged = defaults.merge(call);
/// assert_eq!(format!("{merged:?}"), r#"{"authToken"}"#);
/// ```
#[derive(Clone, Default)]
pub struct Payload {
    layers: Vec<Layer>,
}

#[derive(Clone)]
enum Layer {
    Entries(Entries),
    Provider(Arc<Provider>),
    /// How long what a provider gave is good.
    ValidFor(Duration),
}

/// What a payload says at one time.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) payload: Payload,
    /// How long it is good from now on, if a provider said so.
    pub(crate) valid_for: Option<Duration>,
}

impl Payload {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks this function whenever the payload is needed: for a token that expires. If it has not answered after 60 s it has failed, and is asked again
    /// at the next try.
    pub fn provider<F>(provider: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Self, BoxError>> + Send + 'static,
    {
        let provider: Arc<Provider> = Arc::new(move || Box::pin(provider()));
        Self { layers: vec![Layer::Provider(provider)] }
    }

    /// The same with `key` set.
    #[must_use]
    pub fn with(self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.merge(Self::from_iter([(key.into(), value.into())]))
    }

    /// The same without `key`, also when an earlier layer sets it.
    #[must_use]
    pub fn without(self, key: impl Into<String>) -> Self {
        self.with(key, Value::Null)
    }

    /// What a [`provider`](Self::provider) gives is good for so long from now on, as a token is until it expires: the provider is asked again before,
    /// when nine tenths of the time are over or all but a minute, so that no server has to end what goes on. Of several
    /// providers the shortest time counts. It says nothing of a payload that no provider gave, as nobody can be asked for another one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use larder::Payload;
    /// # async fn fresh_token() -> Result<String, larder::BoxError> { Ok(String::new()) }
    /// let payload = Payload::provider(|| async {
    ///     Ok(Payload::new().with("authToken", fresh_token().await?).valid_for(Duration::from_secs(3_600)))
    /// });
    /// # drop(payload);
    /// ```
    #[must_use]
    pub fn valid_for(mut self, time: Duration) -> Self {
        self.layers.push(Layer::ValidFor(time));
        self
    }

    /// This layer below `later`: per top-level key the later one wins, its `null` removes.
    #[must_use]
    pub fn merge(mut self, later: Self) -> Self {
        for layer in later.layers {
            match (self.layers.last_mut(), layer) {
                (Some(Layer::Entries(entries)), Layer::Entries(more)) => entries.extend(more),
                (_, layer) => self.layers.push(layer),
            }
        }
        self
    }

    /// As [`merge`](Self::merge), but the functions of `later` replace those of this layer, so that calls that each bring one do not pile up.
    pub(crate) fn superseded_by(mut self, later: Self) -> Self {
        if later.layers.iter().any(|layer| matches!(layer, Layer::Provider(_))) {
            let layers = std::mem::take(&mut self.layers).into_iter();
            let entries =
                layers.filter(|layer| matches!(layer, Layer::Entries(_))).map(|layer| Self { layers: vec![layer] });
            self = entries.fold(Self::new(), Self::merge);
        }
        self.merge(later)
    }

    /// The keys and values now: asks the providers, removes what is `null`.
    ///
    /// # Errors
    /// What a provider returns.
    pub async fn resolve(&self) -> Result<BTreeMap<String, Value>, BoxError> {
        Ok(self.ask().await?.0)
    }

    /// What it says now, as a payload without providers: who has it says the same, however long that takes.
    ///
    /// # Errors
    /// What a provider returns.
    pub(crate) async fn resolved(&self) -> Result<Resolved, BoxError> {
        let (entries, valid_for) = self.ask().await?;
        Ok(Resolved { payload: Self::from_iter(entries), valid_for })
    }

    async fn ask(&self) -> Result<(Entries, Option<Duration>), BoxError> {
        let (mut entries, mut valid_for) = (Entries::new(), None::<Duration>);
        // Providers may return providers; the stack keeps the order of the layers.
        let own = self.layers.iter().filter(|layer| !matches!(layer, Layer::ValidFor(_)));
        let mut rest: Vec<Layer> = own.rev().cloned().collect();
        while let Some(layer) = rest.pop() {
            match layer {
                Layer::Entries(more) => entries.extend(more),
                Layer::Provider(provider) => rest.extend(provider().await?.layers.into_iter().rev()),
                Layer::ValidFor(time) => valid_for = Some(valid_for.map_or(time, |before| before.min(time))),
            }
        }
        entries.retain(|_, value| !value.is_null());
        Ok((entries, valid_for))
    }

    /// Whether both say the same: equal entries, and the same providers.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let same = |pair: (&Layer, &Layer)| match pair {
            (Layer::Entries(one), Layer::Entries(two)) => one == two,
            (Layer::Provider(one), Layer::Provider(two)) => Arc::ptr_eq(one, two),
            (Layer::ValidFor(one), Layer::ValidFor(two)) => one == two,
            _ => false,
        };
        self.layers.len() == other.layers.len() && self.layers.iter().zip(&other.layers).all(same)
    }
}

impl FromIterator<(String, Value)> for Payload {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        Self { layers: vec![Layer::Entries(entries.into_iter().collect())] }
    }
}

impl From<serde_json::Map<String, Value>> for Payload {
    fn from(entries: serde_json::Map<String, Value>) -> Self {
        entries.into_iter().collect()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = formatter.debug_set();
        for layer in &self.layers {
            match layer {
                Layer::Entries(entries) => {
                    set.entries(entries.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key));
                }
                Layer::Provider(_) => {
                    set.entry(&format_args!("<provider>"));
                }
                Layer::ValidFor(_) => {}
            }
        }
        set.finish()
    }
}

/// Attributes of the spans of a store, for telemetry. Layers merge per key; a `null` removes the key.
///
/// ```
/// use larder::Attributes;
/// let attributes = Attributes::new().with("service.name", "my-app").with("tenant", 7);
/// assert_eq!(attributes.to_string(), r#"{"service.name":"my-app","tenant":7}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(Entries);

impl Attributes {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with `key` set.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(key.into(), value.into());
        self
    }

    /// The same without `key`, also when an earlier layer sets it.
    #[must_use]
    pub fn without(self, key: impl Into<String>) -> Self {
        self.with(key, Value::Null)
    }

    /// This layer below `later`: per key the later one wins, its `null` removes.
    #[must_use]
    pub fn merge(mut self, later: Self) -> Self {
        self.0.extend(later.0);
        self
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Every key with its value, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.as_str(), value))
    }
}

impl fmt::Display for Attributes {
    /// JSON, as the field `attributes` of a span holds it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object: serde_json::Map<_, _> = self.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        fmt::Display::fmt(&Value::Object(object), formatter)
    }
}
