//! The tools there are.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mosaic_types::Outside;
use mosaic_types::chat::ToolOffer;

use crate::Tool;

/// What a tool is made of.
pub struct Ground<'a> {
    pub outside: &'a Outside,
    /// The folder of the daemon's own files.
    pub home: &'a Path,
}

/// One line of the list below.
pub struct Entry {
    pub name: &'static str,
    make: fn(&Ground<'_>) -> Arc<dyn Tool>,
}

impl Entry {
    /// A tool, and how it is made.
    pub const fn new(name: &'static str, make: fn(&Ground<'_>) -> Arc<dyn Tool>) -> Self {
        Self { name, make }
    }
}

const ENTRIES: &[Entry] = &[
    crate::clock::ENTRY,
    #[cfg(feature = "chaos")]
    crate::planted::AGAIN,
    #[cfg(feature = "chaos")]
    crate::planted::ONCE,
];

/// Names that the config may list.
pub fn names() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().map(|entry| entry.name)
}

/// Tools by their names; cheap to clone. Empty by default: nothing is allowed that was not listed.
#[derive(Clone, Default)]
pub struct Tools {
    by_name: Arc<BTreeMap<String, Arc<dyn Tool>>>,
}

impl Tools {
    /// Those of the list.
    pub fn all(ground: &Ground<'_>) -> Self {
        Self::of(ENTRIES.iter().map(|entry| (entry.make)(ground)))
    }

    /// These, each under the name that it offers itself by.
    pub fn of(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        Self { by_name: Arc::new(tools.into_iter().map(|tool| (tool.offer().name, tool)).collect()) }
    }

    /// The tool of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.by_name.get(name)
    }

    /// What a model is told of the tools of these names, in their order.
    pub fn offers(&self, names: &[String]) -> Arc<[ToolOffer]> {
        names.iter().filter_map(|name| self.get(name)).map(|tool| tool.offer()).collect()
    }
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}
