//! How a request ends, in both encodings.

use serde_json::{Value, json};

use crate::{Failure, RequestId};

/// How a request ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Exit {
    /// A pull that is not live has sent its last page.
    Ended,
    /// A push is in the log.
    Pushed,
    /// The answer to a ping over HTTP.
    Pong,
    /// It was not carried out.
    Failed(Cause),
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// An error of the protocol.
    Fail(Failure),
    /// The request is not one: a text, or `{name, message}`.
    Die(Value),
    /// The asker gave it up.
    Interrupt,
    /// What other servers write, such as a tree of causes.
    Other(Value),
}

impl Exit {
    /// The exit of a request that failed.
    #[must_use]
    pub fn failure(failure: Failure) -> Self {
        Self::Failed(Cause::Fail(failure))
    }

    /// The exit of a request that is not one.
    pub fn die(reason: impl Into<String>) -> Self {
        Self::Failed(Cause::Die(Value::String(reason.into())))
    }

    pub(crate) fn encode(&self, asker: &RequestId) -> Value {
        let success = |value: Value| json!({ "_tag": "Success", "value": value });
        match (self, asker) {
            (Self::Ended, RequestId::Text(_)) => json!({ "_tag": "Success" }),
            (Self::Ended, RequestId::Number(_)) => success(Value::Null),
            (Self::Pushed, _) => success(json!({})),
            (Self::Pong, _) => success(json!({ "_tag": "SyncMessage.Pong" })),
            (Self::Failed(cause), _) => json!({ "_tag": "Failure", "cause": cause.encode(asker) }),
        }
    }

    pub(crate) fn decode(exit: &Value) -> Option<Self> {
        let value = exit.get("value");
        match exit.get("_tag")?.as_str()? {
            "Success" => match value {
                None | Some(Value::Null) => Some(Self::Ended),
                Some(Value::Object(fields)) if fields.is_empty() => Some(Self::Pushed),
                Some(Value::Object(fields)) => (fields.get("_tag")? == "SyncMessage.Pong").then_some(Self::Pong),
                Some(_) => None,
            },
            "Failure" => exit.get("cause").map(|cause| Self::Failed(Cause::decode(cause))),
            _ => None,
        }
    }
}

impl Cause {
    fn encode(&self, asker: &RequestId) -> Value {
        let numbered = matches!(asker, RequestId::Number(_));
        let one = match self {
            Self::Other(cause) => return cause.clone(),
            Self::Fail(failure) => json!({ "_tag": "Fail", "error": failure.encode() }),
            Self::Die(defect) => json!({ "_tag": "Die", "defect": defect }),
            Self::Interrupt if numbered => json!({ "_tag": "Interrupt" }),
            Self::Interrupt => json!({ "_tag": "Interrupt", "fiberId": { "_tag": "None" } }),
        };
        if numbered { Value::Array(vec![one]) } else { one }
    }

    fn decode(cause: &Value) -> Self {
        let one = match cause.as_array().map(Vec::as_slice) {
            Some([one]) => one,
            Some(_) => return Self::Other(cause.clone()),
            None => cause,
        };
        let known = match one.get("_tag").and_then(Value::as_str) {
            Some("Fail") => one.get("error").and_then(Failure::decode).map(Self::Fail),
            Some("Die") => one.get("defect").cloned().map(Self::Die),
            Some("Interrupt") if Self::nobody(one) => Some(Self::Interrupt),
            _ => None,
        };
        known.unwrap_or_else(|| Self::Other(cause.clone()))
    }

    /// Whether an interrupt says no more than that.
    fn nobody(interrupt: &Value) -> bool {
        interrupt.get("fiberId").is_none_or(|fiber| *fiber == json!({ "_tag": "None" }))
    }

    /// The error of the protocol in it, also inside a tree.
    #[must_use]
    pub fn found_failure(&self) -> Option<Failure> {
        match self {
            Self::Fail(failure) => Some(failure.clone()),
            Self::Other(tree) => leaves(tree)
                .filter(|leaf| leaf.get("_tag").and_then(Value::as_str) == Some("Fail"))
                .find_map(|leaf| leaf.get("error").and_then(Failure::decode)),
            Self::Die(_) | Self::Interrupt => None,
        }
    }

    /// Whether it says no more than that somebody gave the request up, also in a tree.
    #[must_use]
    pub fn is_interrupt(&self) -> bool {
        match self {
            Self::Interrupt => true,
            Self::Other(tree) => {
                let tags = || leaves(tree).filter_map(|leaf| leaf.get("_tag").and_then(Value::as_str));
                tags().any(|tag| tag == "Interrupt") && tags().all(|tag| tag == "Interrupt" || tag == "Empty")
            }
            Self::Fail(_) | Self::Die(_) => false,
        }
    }
}

/// The causes of a tree that are no trees themselves.
fn leaves(tree: &Value) -> impl Iterator<Item = &Value> {
    let mut open = vec![tree];
    std::iter::from_fn(move || {
        while let Some(next) = open.pop() {
            if let Some(list) = next.as_array() {
                open.extend(list);
            } else if let (Some(left), Some(right)) = (next.get("left"), next.get("right")) {
                open.extend([right, left]);
            } else {
                return Some(next);
            }
        }
        None
    })
}
