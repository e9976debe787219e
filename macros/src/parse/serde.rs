//! `#[serde(..)]` on events: on fields it is passed on to serde, anywhere else it would change the encoding.

use syn::{Attribute, Expr, ExprPath, Lit, LitStr, Meta, MetaNameValue, Token, punctuated::Punctuated};

use crate::{errors::Errors, message};

/// What a field may say, and how. serde's own errors would come with a dozen others about the types it then does not implement.
const KNOWN: &[(&str, Form, &str)] = &[
    ("rename", Form::Text, "rename = \"name\""),
    ("alias", Form::Text, "alias = \"old_name\""),
    ("default", Form::FlagOrPath, "default"),
    ("flatten", Form::Flag, "flatten"),
    ("skip", Form::Flag, "skip"),
    ("skip_serializing", Form::Flag, "skip_serializing"),
    ("skip_deserializing", Form::Flag, "skip_deserializing"),
    ("skip_serializing_if", Form::Path, "skip_serializing_if = \"Option::is_none\""),
    ("with", Form::Path, "with = \"module\""),
    ("serialize_with", Form::Path, "serialize_with = \"function\""),
    ("deserialize_with", Form::Path, "deserialize_with = \"function\""),
];

/// Keys of serde that make no sense for data that is owned and has no type parameters.
const NOT_HERE: [&str; 4] = ["borrow", "bound", "getter", "crate"];

/// Keys that mean something for a value without a name.
const IN_NEWTYPES: [&str; 3] = ["with", "serialize_with", "deserialize_with"];

/// Keys that do not need to know the field's type.
const BLIND_TO_TYPE: [&str; 3] = ["rename", "alias", "flatten"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Flag,
    Text,
    Path,
    FlagOrPath,
}

/// The serde attributes of a field, with a name or without, as they are passed on, and whether none of them needs to know the field's type.
pub(super) fn forwarded(attributes: &[Attribute], named: bool, errors: &mut Errors) -> (Vec<Attribute>, bool) {
    let mut blind = true;
    let mut forwarded = Vec::new();
    for attribute in attributes.iter().filter(|found| found.path().is_ident("serde")) {
        match attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
            Ok(keys) => {
                for key in &keys {
                    blind &= BLIND_TO_TYPE.iter().any(|known| key.path().is_ident(known));
                    check(key, named, errors);
                }
                forwarded.push(attribute.clone());
            }
            Err(error) => errors.push(error),
        }
    }
    (forwarded, blind)
}

/// Reports serde attributes that stand on an enum or a variant, except for the path to serde, which other derives may need.
pub(super) fn refuse(attributes: &[Attribute], what: &str, errors: &mut Errors) {
    for attribute in attributes.iter().filter(|found| found.path().is_ident("serde")) {
        let keys = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        let only_crate = keys.is_ok_and(|keys| keys.iter().all(|key| key.path().is_ident("crate")));
        if !only_crate {
            errors.at(attribute, message::serde_on_enum(what));
        }
    }
}

fn check(key: &Meta, named: bool, errors: &mut Errors) {
    let name = key.path().get_ident().map(ToString::to_string).unwrap_or_default();
    if NOT_HERE.contains(&name.as_str()) {
        errors.at(key.path(), message::serde_not_here(&name));
        return;
    }
    let Some((_, form, usage)) = KNOWN.iter().find(|(known, ..)| *known == name) else {
        let known: Vec<&str> = KNOWN.iter().map(|(known, ..)| *known).collect();
        errors.at(key.path(), message::unknown_serde(&name, &known));
        return;
    };
    if !named && !IN_NEWTYPES.contains(&name.as_str()) {
        errors.at(key.path(), message::serde_on_newtype(&name));
        return;
    }
    let fits = match (form, key) {
        (Form::Flag | Form::FlagOrPath, Meta::Path(_)) => true,
        (Form::Text, Meta::NameValue(pair)) => text(pair).is_some(),
        (Form::Path | Form::FlagOrPath, Meta::NameValue(pair)) => {
            text(pair).is_some_and(|text| text.parse::<ExprPath>().is_ok())
        }
        _ => false,
    };
    if !fits {
        errors.at(key, message::serde_value(&name, usage));
    }
}

fn text(pair: &MetaNameValue) -> Option<&LitStr> {
    match &pair.value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}
