//! JSON Web Tokens, as far as access needs them: HS256 or EdDSA, whichever the server is told, and nothing that the token says instead.
//!
//! The cryptography is `ring`'s, which TLS and the clients use too. The crates that know all of JOSE bring a second library of it along, RSA
//! and elliptic curves included, for two algorithms of which each is one call.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    hmac,
    signature::{ED25519, UnparsedPublicKey},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::rules::{RulesError, Secret};

/// The longest token that is looked at, in bytes.
const TOKEN_BYTES: usize = 8 * 1024;

/// The shortest secret of HS256, in bytes: as long as its hash.
const SECRET_BYTES: usize = 32;

/// How tokens are checked, and where they say which stores they are for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// `HS256` or `EdDSA`.
    pub algorithm: String,
    /// The secret of HS256, at least 32 bytes.
    pub secret: Option<Secret>,
    /// The public key of EdDSA (Ed25519): 32 bytes in base64url, as `x` in a JWK.
    pub public_key: Option<String>,
    /// The field of the payload that has the token; left out: that of the rules.
    pub field: Option<String>,
    /// The claim with the patterns of the stores, a text or an array of them.
    #[serde(default = "stores_claim")]
    pub stores_claim: String,
    /// The claim with what is allowed, an array of `pull` and `push`. A token without it allows both.
    #[serde(default = "allow_claim")]
    pub allow_claim: String,
    /// Who must have issued the token, if it matters.
    pub issuer: Option<String>,
    /// For whom it must be, if it matters.
    pub audience: Option<String>,
}

fn stores_claim() -> String {
    "stores".to_owned()
}

fn allow_claim() -> String {
    "allow".to_owned()
}

/// Checks tokens.
pub(super) struct Jwt {
    key: Key,
    stores_claim: String,
    allow_claim: String,
    issuer: Option<String>,
    audience: Option<String>,
}

enum Key {
    Hs256(hmac::Key),
    EdDsa(UnparsedPublicKey<Vec<u8>>),
}

/// What a good token says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) stores: Vec<String>,
    /// Nothing: all is allowed.
    pub(super) allow: Option<Vec<String>>,
    /// Until when, in seconds since 1970.
    pub(super) expires: i64,
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JwtError {
    #[error("the token is none of this server's")]
    NotOurs,
    #[error("the token has expired; ask for a new one")]
    Expired,
    #[error("the token does not hold yet")]
    Early,
    #[error("the token has no `exp`; every token must end")]
    Endless,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<Value>,
}

impl Jwt {
    pub(super) fn new(config: &JwtConfig) -> Result<Self, RulesError> {
        let wrong = |what: &str| RulesError::Jwt(what.to_owned());
        let key = match (config.algorithm.as_str(), &config.secret, &config.public_key) {
            ("HS256", Some(secret), None) if secret.expose().len() >= SECRET_BYTES => {
                Key::Hs256(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()))
            }
            ("HS256", Some(_), None) => {
                return Err(wrong("the secret of HS256 has less than 32 bytes; make a longer one"));
            }
            ("HS256", _, _) => return Err(wrong("HS256 wants `secret` and no `public_key`")),
            ("EdDSA", None, Some(key)) => {
                let bytes = BASE64_URL_SAFE_NO_PAD.decode(key).ok().filter(|bytes| bytes.len() == 32);
                let bytes = bytes.ok_or_else(|| wrong("`public_key` is not 32 bytes in base64url"))?;
                Key::EdDsa(UnparsedPublicKey::new(&ED25519, bytes))
            }
            ("EdDSA", _, _) => return Err(wrong("EdDSA wants `public_key` and no `secret`")),
            _ => return Err(wrong("`algorithm` is neither `HS256` nor `EdDSA`")),
        };
        Ok(Self {
            key,
            stores_claim: config.stores_claim.clone(),
            allow_claim: config.allow_claim.clone(),
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
        })
    }

    /// What a token says, if it is good at a time in seconds since 1970.
    pub(super) fn check(&self, token: &str, now: i64) -> Result<Claims, JwtError> {
        let claims = self.signed(token).ok_or(JwtError::NotOurs)?;
        let number = |name: &str| claims.get(name).map(|value| value.as_f64().ok_or(JwtError::NotOurs)).transpose();
        let expires = number("exp")?.ok_or(JwtError::Endless)?;
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are small")]
        let now = now as f64;
        if now >= expires {
            return Err(JwtError::Expired);
        }
        if number("nbf")?.is_some_and(|from| now < from) {
            return Err(JwtError::Early);
        }
        let named = |name: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| texts(claims.get(name)).iter().flatten().any(|named| named == wanted))
        };
        if !named("iss", &self.issuer) || !named("aud", &self.audience) {
            return Err(JwtError::NotOurs);
        }
        let stores = texts(claims.get(&self.stores_claim)).unwrap_or_default();
        // A claim that is there and of no known form allows nothing.
        let allow = claims.get(&self.allow_claim).map(|claim| texts(Some(claim)).unwrap_or_default());
        #[expect(clippy::cast_possible_truncation, reason = "what is later than all time is all time")]
        let expires = expires as i64;
        Ok(Claims { stores, allow, expires })
    }

    /// The claims, if the signature is right.
    fn signed(&self, token: &str) -> Option<Map<String, Value>> {
        if token.len() > TOKEN_BYTES {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let said: Header = serde_json::from_slice(&part(header)?).ok()?;
        let signature = part(signature)?;
        if said.crit.is_some() {
            return None;
        }
        let right = match &self.key {
            Key::Hs256(key) => said.alg == "HS256" && hmac::verify(key, message.as_bytes(), &signature).is_ok(),
            Key::EdDsa(key) => said.alg == "EdDSA" && key.verify(message.as_bytes(), &signature).is_ok(),
        };
        right.then(|| serde_json::from_slice(&part(claims)?).ok())?
    }
}

/// A text, or an array of texts.
fn texts(claim: Option<&Value>) -> Option<Vec<String>> {
    match claim? {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(many) => many.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(algorithm: &str, secret: Option<&str>, public_key: Option<&str>) -> Result<Jwt, RulesError> {
        Jwt::new(&JwtConfig {
            algorithm: algorithm.to_owned(),
            secret: secret.map(|secret| Secret::new(secret.to_owned())),
            public_key: public_key.map(str::to_owned),
            field: None,
            stores_claim: stores_claim(),
            allow_claim: allow_claim(),
            issuer: None,
            audience: None,
        })
    }

    const SECRET: &str = "a secret of at least thirty-two bytes";

    fn sign(header: &str, claims: &str) -> String {
        let message = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())))
    }

    #[test]
    fn the_example_of_the_standard_for_eddsa_is_signed() {
        // RFC 8037, appendix A: its key and its text.
        let jwt = jwt("EdDSA", None, Some("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")).expect("a key");
        let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let Key::EdDsa(key) = &jwt.key else { panic!("another key") };
        let (message, signature) = signed.rsplit_once('.').expect("a signature");
        assert!(key.verify(message.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(signature).expect("bytes")).is_ok());
        // Its payload is no JSON, so it is no token.
        assert_eq!(jwt.check(signed, 0), Err(JwtError::NotOurs));
    }

    #[test]
    fn a_token_holds_from_nbf_until_exp_and_says_its_stores() {
        let jwt = jwt("HS256", Some(SECRET), None).expect("a secret");
        let token = sign(r#"{"alg":"HS256"}"#, r#"{"exp":200,"nbf":100,"stores":["a:*","b"],"allow":["pull"]}"#);
        assert_eq!(jwt.check(&token, 99), Err(JwtError::Early));
        let claims = jwt.check(&token, 100).expect("good");
        assert_eq!(claims.stores, ["a:*", "b"]);
        assert_eq!((claims.allow, claims.expires), (Some(vec!["pull".to_owned()]), 200));
        assert_eq!(jwt.check(&token, 200), Err(JwtError::Expired));
        let endless = sign(r#"{"alg":"HS256"}"#, r#"{"stores":"a"}"#);
        assert_eq!(jwt.check(&endless, 0), Err(JwtError::Endless));
    }

    #[test]
    fn what_a_token_says_of_its_algorithm_or_in_another_form_helps_nobody() {
        let jwt = jwt("HS256", Some(SECRET), None).expect("a secret");
        let good = sign(r#"{"alg":"HS256"}"#, r#"{"exp":200}"#);
        assert!(jwt.check(&good, 0).is_ok());
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"exp":200}"#);
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let (message, signature) = good.rsplit_once('.').expect("a signature");
        let bad = [
            sign(r#"{"alg":"none"}"#, r#"{"exp":200}"#),
            sign(r#"{"alg":"HS512"}"#, r#"{"exp":200}"#),
            sign(r#"{"alg":"HS256","crit":["exp"]}"#, r#"{"exp":200}"#),
            sign(r#"{"alg":"HS256"}"#, r#"{"exp":"200"}"#),
            sign(r#"{"alg":"HS256"}"#, r#"{"exp":200,"nbf":"soon"}"#),
            sign(r#"{"alg":"HS256"}"#, "[]"),
            format!("{none}.{claims}."),
            format!("{message}."),
            format!("{message}.{signature}A"),
            format!("{message}x.{signature}"),
            String::new(),
            "..".to_owned(),
            "a.b.c.d".to_owned(),
            "x".repeat(TOKEN_BYTES + 1),
        ];
        for token in bad {
            assert_eq!(jwt.check(&token, 0), Err(JwtError::NotOurs), "{token}");
        }
        let strange = sign(r#"{"alg":"HS256"}"#, r#"{"exp":200,"stores":7,"allow":"push!"}"#);
        let claims = jwt.check(&strange, 0).expect("signed");
        assert_eq!((claims.stores, claims.allow), (vec![], Some(vec!["push!".to_owned()])));
    }

    #[test]
    fn a_weak_or_wrong_key_is_refused() {
        for (algorithm, secret, key) in [
            ("HS256", Some("short"), None),
            ("HS256", None, None),
            ("EdDSA", Some(SECRET), None),
            ("EdDSA", None, Some("AAAA")),
            ("none", None, None),
        ] {
            assert!(jwt(algorithm, secret, key).is_err(), "{algorithm}");
        }
    }
}
