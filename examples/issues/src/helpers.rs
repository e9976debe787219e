//! Four helpers an app writes around `registry.get`, so that the rest of it never spells a store id.

use std::str::FromStr;

use larder::{Get, LoadError, prelude::*};

use crate::{
    failure::Failure,
    stores::{Headline, IssueId, IssueStore, SettingsStore, WorkspaceId, WorkspaceStore},
};

/// **Singleton**: this installation's settings. There is one such store, and no id to get wrong.
pub fn settings(registry: &StoreRegistry) -> Get<SettingsStore> {
    registry.get_singleton::<SettingsStore>()
}

/// **Parameterized**: an issue by what names it. The id is typed, and escapes a project name such as `rusqlite/rusqlite`.
pub fn issue(registry: &StoreRegistry, workspace: &str, number: i64) -> Get<IssueStore> {
    registry.get::<IssueStore>(&IssueId { workspace: workspace.to_owned(), number })
}

/// **Context**: the workspace that a command works in. What it calls is handed the context, not ids; the handle inside keeps the
/// workspace's store loaded.
pub struct Workspace {
    registry: StoreRegistry,
    name: String,
    store: StoreHandle<WorkspaceStore>,
}

impl Workspace {
    /// Enters a workspace that exists: a plain `get` would make a new store for a misspelt name.
    ///
    /// # Errors
    /// When there is no such workspace, or its store cannot be opened.
    pub async fn enter(registry: &StoreRegistry, name: &str) -> Result<Self, Failure> {
        let id = WorkspaceId { name: name.to_owned() };
        match registry.get::<WorkspaceStore>(&id).existing().await {
            Ok(store) => Ok(Self { registry: registry.clone(), name: id.name, store }),
            Err(LoadError::NotFound { .. }) => Err(Failure::NoWorkspace { name: id.name }),
            Err(error) => Err(error.into()),
        }
    }

    /// Enters a workspace; a new one is empty.
    ///
    /// # Errors
    /// When its store cannot be opened, or the name cannot be a store id.
    pub async fn enter_or_begin(registry: &StoreRegistry, name: &str) -> Result<Self, LoadError> {
        let store = registry.get::<WorkspaceStore>(&WorkspaceId { name: name.to_owned() }).await?;
        Ok(Self { registry: registry.clone(), name: name.to_owned(), store })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its store.
    pub fn store(&self) -> &StoreHandle<WorkspaceStore> {
        &self.store
    }

    /// The headline of one of its issues.
    ///
    /// # Errors
    /// When there is no such issue.
    pub fn headline(&self, number: i64) -> Result<Headline, Failure> {
        let no_issue = || Failure::NoIssue { workspace: self.name.clone(), number };
        self.store.query(Headline::by_key(number))?.ok_or_else(no_issue)
    }

    /// The store of one of its issues; a new one is empty.
    pub fn issue(&self, number: i64) -> Get<IssueStore> {
        issue(&self.registry, &self.name, number)
    }
}

/// **Route**: an issue as a person or a link names it, `salsa-rs/salsa#12` or `/salsa-rs/salsa/issues/12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The workspace's name.
    pub workspace: String,
    /// The issue's number.
    pub number: i64,
}

impl FromStr for Route {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let parts = text.rsplit_once('#').or_else(|| text.trim_start_matches('/').rsplit_once("/issues/"));
        let route = parts.and_then(|(workspace, number)| {
            let number = number.parse().ok().filter(|number| *number >= 1)?;
            (!workspace.is_empty()).then(|| Self { workspace: workspace.to_owned(), number })
        });
        route.ok_or_else(|| Failure::Route { text: text.to_owned() })
    }
}

impl Route {
    /// What a router's loader does: the workspace and the issue, loaded before anything is shown.
    ///
    /// # Errors
    /// When there is no such workspace or issue, or a store cannot be opened.
    pub async fn load(&self, registry: &StoreRegistry) -> Result<(Workspace, StoreHandle<IssueStore>), Failure> {
        let workspace = Workspace::enter(registry, &self.workspace).await?;
        workspace.headline(self.number)?;
        let issue = workspace.issue(self.number).await?;
        Ok((workspace, issue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_names_workspace_and_number() {
        for text in ["salsa-rs/salsa#12", "/salsa-rs/salsa/issues/12", "salsa-rs/salsa/issues/12"] {
            let route: Route = text.parse().expect("a route");
            assert_eq!(route, Route { workspace: "salsa-rs/salsa".into(), number: 12 });
        }
        for text in ["", "#", "#1", "salsa", "salsa#", "salsa#x", "salsa#0", "/issues/1"] {
            assert!(text.parse::<Route>().is_err(), "{text}");
        }
    }
}
