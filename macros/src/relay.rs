//! How a schema's tables come to `define_store!`: a derive leaves a macro under its type's own name, and that passes on what it knows.
//!
//! A macro has a namespace of its own, so whoever imports the type has the macro, too. `Issue! { (then) rest }` becomes
//! `then! { { issues' tokens } rest }`. `#[derive(StoreSchema)]` calls the macros of its tables one after the other, where their paths are
//! known, and leaves a macro with all of them; `define_store!` calls that one with its queries.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{
    Path, Token, Type, Visibility, braced,
    ext::IdentExt,
    parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::{errors::Errors, keys::Crate, message, sql::TableShape, tokens};

/// What is known of a table or a schema.
#[derive(Clone)]
pub(crate) enum Known {
    /// Its tables.
    Tables(Vec<TableShape>),
    /// Nothing: it has errors, which are reported where it stands.
    Broken,
}

/// Prints the macro of a type.
pub(crate) fn relay(ident: &Ident, vis: &Visibility, known: &Known) -> TokenStream {
    let known = print(known);
    let name = format_ident!("__larder_{}", unique(ident));
    // Only an exported macro may be imported from outside the crate, and only a public type needs that.
    let export = matches!(vis, Visibility::Public(_)).then(|| quote!(#[macro_export]));
    quote! {
        #[doc(hidden)]
        #[allow(unused_macros, non_local_definitions)]
        #export
        macro_rules! #name {
            (($($then:tt)*) $($rest:tt)*) => { $($then)* ! { { #known } $($rest)* } };
        }
        #[doc(hidden)]
        #[allow(unused_imports, unreachable_pub)]
        #vis use #name as #ident;
    }
}

fn print(known: &Known) -> TokenStream {
    match known {
        Known::Tables(tables) => quote!(tables { #(#tables),* }),
        Known::Broken => quote!(broken),
    }
}

/// The type's name, made unique in its crate by where it stands, and numbered when a macro of the app makes several there.
fn unique(ident: &Ident) -> String {
    static SEEN: Mutex<BTreeMap<u64, usize>> = Mutex::new(BTreeMap::new());
    let mut place = ident.to_string();
    if proc_macro::is_available() {
        let span = ident.span().unwrap();
        place = format!("{place} {:?} {} {}", span.file(), span.line(), span.column());
    }
    let hash = tokens::hash(quote!(#place));
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let number = seen.entry(hash).or_default();
    *number += 1;
    format!("{}_{hash:016x}_{number}", ident.unraw())
}

/// Prints a schema's way to its tables.
pub(crate) fn schema(krate: &Crate, ident: &Ident, vis: &Visibility, tables: &[Type]) -> TokenStream {
    let paths: Option<Vec<&Path>> = tables.iter().map(path).collect();
    match paths {
        Some(paths) => Collect {
            found: Vec::new(),
            asked: Vec::new(),
            next: paths.into_iter().cloned().collect(),
            krate: krate.clone(),
            ident: ident.clone(),
            vis: vis.clone(),
        }
        .step(),
        // Not the name of a struct, which the compiler says.
        None => relay(ident, vis, &Known::Broken),
    }
}

/// The path of a type that can have a macro of its name.
pub(crate) fn path(ty: &Type) -> Option<&Path> {
    match ty {
        Type::Path(path) if path.qself.is_none() && path.path.segments.iter().all(|part| part.arguments.is_empty()) => {
            Some(&path.path)
        }
        Type::Group(group) => self::path(&group.elem),
        _ => None,
    }
}

/// A schema on its way from table to table.
struct Collect {
    found: Vec<TableShape>,
    /// Where the tables of `found` are named.
    asked: Vec<Path>,
    next: Vec<Path>,
    krate: Crate,
    ident: Ident,
    vis: Visibility,
}

impl Collect {
    /// Asks the next table, or leaves the schema's own macro.
    fn step(mut self) -> TokenStream {
        if self.next.is_empty() {
            let errors = self.same_names().into_tokens();
            let relay = relay(&self.ident, &self.vis, &Known::Tables(self.found));
            return quote!(#errors #relay);
        }
        let next = self.next.remove(0);
        self.asked.push(next.clone());
        let Self { found, asked, next: rest, krate, ident, vis } = &self;
        let private = krate.private();
        quote! {
            #next! {
                (#private::collect_tables) { #(#found),* } (#(#asked),*) (#(#rest),*) (#krate) (#ident) (#vis)
            }
        }
    }

    /// Indexes that are called like an index of another table, or like a table. That two tables have one name is said elsewhere.
    fn same_names(&self) -> Errors {
        let mut errors = Errors::default();
        let mut taken: BTreeMap<String, (&str, String)> = BTreeMap::new();
        for table in &self.found {
            taken.insert(table.name.to_ascii_lowercase(), (&table.name, message::taken_by_table()));
        }
        for (table, path) in self.found.iter().zip(&self.asked) {
            for name in table.index_names() {
                match taken.get(&name.to_ascii_lowercase()) {
                    Some((of, what)) if *of != table.name => {
                        errors.at(path, message::foreign_index_name(&name, &table.name, what));
                    }
                    _ => drop(
                        taken.insert(name.to_ascii_lowercase(), (&table.name, message::taken_by_index(&table.name))),
                    ),
                }
            }
        }
        errors
    }
}

/// `collect_tables!`: what a table answered, and the rest of the way.
pub(crate) fn collect(input: TokenStream) -> syn::Result<TokenStream> {
    let Answer { known, collect } = syn::parse2(input)?;
    Ok(match known {
        Known::Broken => relay(&collect.ident, &collect.vis, &Known::Broken),
        Known::Tables(tables) => Collect { found: [collect.found, tables].concat(), ..collect }.step(),
    })
}

struct Answer {
    known: Known,
    collect: Collect,
}

impl Parse for Answer {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let known = input.parse()?;
        let (found, asked, next, krate, ident, vis);
        braced!(found in input);
        parenthesized!(asked in input);
        parenthesized!(next in input);
        parenthesized!(krate in input);
        parenthesized!(ident in input);
        parenthesized!(vis in input);
        let collect = Collect {
            found: tables(&found)?,
            asked: paths(&asked)?,
            next: paths(&next)?,
            krate: Crate::new(Some(krate.parse()?)),
            ident: ident.parse()?,
            vis: vis.parse()?,
        };
        Ok(Self { known, collect })
    }
}

impl Parse for Known {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let content;
        braced!(content in input);
        let word: Ident = content.parse()?;
        if word != "tables" {
            return Ok(Self::Broken);
        }
        let list;
        braced!(list in content);
        tables(&list).map(Self::Tables)
    }
}

fn paths(input: ParseStream<'_>) -> syn::Result<Vec<Path>> {
    Ok(Punctuated::<Path, Token![,]>::parse_terminated(input)?.into_iter().collect())
}

fn tables(input: ParseStream<'_>) -> syn::Result<Vec<TableShape>> {
    Ok(Punctuated::<TableShape, Token![,]>::parse_terminated(input)?.into_iter().collect())
}
