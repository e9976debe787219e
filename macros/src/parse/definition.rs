//! `define_store!` and `define_projection!`

use proc_macro2::{Ident, TokenStream};
use syn::{
    Attribute, Expr, LitStr, Path, Token, Type, Visibility, braced,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
};

use super::query;
use crate::{
    errors::Errors,
    keys::{self, Crate, Known, Seen},
    message,
    model::{Definition, Identity, QueryFn},
};

const NAME: Known = Known::once("name", "name: \"workspace\"");
const SCHEMA: Known = Known::once("schema", "schema: WorkspaceSchema");
const ADAPTER: Known = Known::once("adapter", "adapter: SqliteAdapter::persisted()");

/// What a definition is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// `define_store!`
    Store,
    /// `define_projection!`
    Projection,
}

impl Of {
    fn keys(self) -> &'static [Known] {
        match self {
            Self::Store => KEYS,
            Self::Projection => PROJECTION_KEYS,
        }
    }

    /// The macro's name.
    pub(crate) fn place(self) -> &'static str {
        match self {
            Self::Store => "define_store!",
            Self::Projection => "define_projection!",
        }
    }
}

const LIST_NAME: Known = Known::once("name", "name: \"issue-list\"");
const SOURCE: Known = Known::once("source", "source: IssueStore");

const PROJECTION_KEYS: &[Known] = &[
    LIST_NAME,
    SOURCE,
    Known::once("schema", "schema: IssueListSchema"),
    ADAPTER,
    Known::once("gc_time", "gc_time: GcTime::seconds(60)"),
    Known::once("durability", "durability: Durability::Power"),
    Known::once("attributes", "attributes: attributes()"),
    Known::once("queries", "queries { .. }"),
    Known::once("crate", "crate: path::to::larder"),
];

const KEYS: &[Known] = &[
    NAME,
    Known::once("id", "id: WorkspaceId"),
    Known::once("singleton", "singleton: \"app-root\""),
    SCHEMA,
    ADAPTER,
    Known::once("gc_time", "gc_time: GcTime::seconds(60)"),
    Known::once("on_load", "on_load: announce"),
    Known::once("durability", "durability: Durability::Power"),
    Known::once("unknown_events", "unknown_events: UnknownEvents::Warn"),
    Known::once("max_event_bytes", "max_event_bytes: 65_536"),
    Known::once("max_commit_events", "max_commit_events: 100"),
    Known::once("sync", "sync: backend()"),
    Known::once("sync_id", "sync_id: wire_id"),
    Known::once("sync_payload", "sync_payload: payload()"),
    Known::once("initial_sync", "initial_sync: InitialSync::Skip"),
    Known::once("on_backend_change", "on_backend_change: OnBackendChange::Reset { resend_own: true }"),
    Known::once("attributes", "attributes: attributes()"),
    Known::once("queries", "queries { .. }"),
    Known::once("crate", "crate: path::to::larder"),
];

/// What was read of a definition, as far as it could be.
pub(crate) struct Draft {
    pub(crate) of: Of,
    pub(crate) krate: Option<Path>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    /// Keys that were written, right or wrong.
    pub(crate) written: Vec<Ident>,
    pub(crate) name: Option<LitStr>,
    pub(crate) id: Option<Type>,
    pub(crate) singleton: Option<LitStr>,
    pub(crate) schema: Option<Type>,
    pub(crate) adapter: Option<Expr>,
    pub(crate) source: Option<Type>,
    pub(crate) on_load: Option<Expr>,
    pub(crate) options: Vec<(Ident, Expr)>,
    pub(crate) queries: Vec<QueryFn>,
}

/// Reads a definition. The draft is there for the stub even where the definition is not complete.
pub(crate) fn definition(of: Of, input: TokenStream, errors: &mut Errors) -> (Option<Draft>, Option<Definition>) {
    let parser = |input: ParseStream<'_>| draft(of, input, errors);
    match parser.parse2(input) {
        Ok(draft) => {
            let definition = complete(&draft, errors);
            (Some(draft), definition)
        }
        Err(error) => {
            errors.push(error);
            (None, None)
        }
    }
}

fn draft(of: Of, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Draft> {
    let refuse = |error: syn::Error| syn::Error::new(error.span(), message::not_a_definition(of.place()));
    let attributes = input.call(Attribute::parse_outer)?;
    let vis = input.parse().map_err(refuse)?;
    let ident = input.parse().map_err(refuse)?;
    if !input.peek(syn::token::Brace) {
        return Err(syn::Error::new(input.span(), message::not_a_definition(of.place())));
    }
    let mut draft = Draft {
        of,
        krate: None,
        attributes,
        vis,
        ident,
        written: Vec::new(),
        name: None,
        id: None,
        singleton: None,
        schema: None,
        adapter: None,
        source: None,
        on_load: None,
        options: Vec::new(),
        queries: Vec::new(),
    };
    let content;
    braced!(content in input);
    read_keys(&content, &mut draft, errors)?;
    if !input.is_empty() {
        errors.span(input.span(), message::one_definition(of.place()));
        input.parse::<TokenStream>()?;
    }
    Ok(draft)
}

fn read_keys(content: ParseStream<'_>, draft: &mut Draft, errors: &mut Errors) -> syn::Result<()> {
    let (known_keys, place) = (draft.of.keys(), draft.of.place());
    let mut seen = Seen::new(known_keys, place);
    while !content.is_empty() {
        let Ok(key) = content.call(Ident::parse_any) else {
            errors.span(content.span(), message::not_a_key(known_keys, place));
            keys::skip_value(content)?;
            continue;
        };
        let known = seen.accept(&key, errors);
        if key == "queries" && content.peek(syn::token::Brace) {
            let queries;
            braced!(queries in content);
            if known.is_some() {
                draft.queries = query::queries(&queries, errors);
            }
            content.parse::<Option<Token![,]>>()?;
            continue;
        }
        if let Some(known) = known {
            draft.written.push(key.clone());
            let read = read_value(content, &key, known, draft);
            if read.is_ok() && keys::missing_comma(content, place, errors) {
                continue;
            }
            errors.take(read);
        }
        keys::skip_value(content)?;
    }
    Ok(())
}

fn read_value(content: ParseStream<'_>, key: &Ident, known: &Known, draft: &mut Draft) -> syn::Result<()> {
    if content.parse::<Token![:]>().is_err() {
        return Err(syn::Error::new(key.span(), message::wrong_value(key, known.usage)));
    }
    match known.name {
        "name" => draft.name = Some(value(content, key, known)?),
        "id" => draft.id = Some(value(content, key, known)?),
        "singleton" => draft.singleton = Some(value(content, key, known)?),
        "schema" => draft.schema = Some(value(content, key, known)?),
        "adapter" => draft.adapter = Some(value(content, key, known)?),
        "source" => draft.source = Some(value(content, key, known)?),
        "on_load" => draft.on_load = Some(value(content, key, known)?),
        "crate" => {
            let wrong = |error: syn::Error| syn::Error::new(error.span(), message::wrong_value(key, known.usage));
            draft.krate = Some(content.call(Path::parse_mod_style).map_err(wrong)?);
        }
        "queries" => return Err(syn::Error::new(key.span(), message::wrong_value(key, known.usage))),
        _ => draft.options.push((key.clone(), value(content, key, known)?)),
    }
    Ok(())
}

fn value<T: Parse>(content: ParseStream<'_>, key: &Ident, known: &Known) -> syn::Result<T> {
    let place = content.span();
    content.parse().map_err(|_| syn::Error::new(place, message::wrong_value(key, known.usage)))
}

fn complete(draft: &Draft, errors: &mut Errors) -> Option<Definition> {
    let is_missing = |known: &&Known| !draft.written.iter().any(|key| key == known.name);
    let required: &[&Known] = match draft.of {
        Of::Store => &[&NAME, &SCHEMA, &ADAPTER],
        Of::Projection => &[&LIST_NAME, &SOURCE, &SCHEMA, &ADAPTER],
    };
    let missing: Vec<&Known> = required.iter().copied().filter(is_missing).collect();
    if !missing.is_empty() {
        errors.at(&draft.ident, message::missing_keys(&draft.ident, &missing, draft.of.place()));
    }
    let identity = match (&draft.id, &draft.singleton) {
        _ if draft.of == Of::Projection => Identity::Projection(Box::new(draft.source.clone()?)),
        (Some(id), Some(_)) => {
            errors.at(id, message::singleton_with_id());
            Identity::StoreId
        }
        (Some(id), None) => Identity::Key(Box::new(id.clone())),
        (None, Some(singleton)) => Identity::Singleton(singleton.clone()),
        (None, None) => Identity::StoreId,
    };
    Some(Definition {
        krate: Crate::new(draft.krate.clone()),
        attributes: draft.attributes.clone(),
        vis: draft.vis.clone(),
        ident: draft.ident.clone(),
        name: draft.name.clone()?,
        identity,
        schema: draft.schema.clone()?,
        adapter: draft.adapter.clone()?,
        on_load: draft.on_load.clone(),
        options: draft.options.clone(),
        queries: draft.queries.clone(),
    })
}
