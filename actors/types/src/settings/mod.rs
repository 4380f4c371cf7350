//! Reads settings out of TOML and the environment, and collects every mistake instead of stopping at the first.
//!
//! A room asks a [`Section`] for its keys, each with a default and its bounds. Reading always yields a value, so that
//! it goes on after a mistake; what was wrong is told at the end by [`Settings::finish`], one line each. A key that
//! nobody asked for is a mistake too, found when its section is dropped. Nothing here touches a file or the
//! environment: both come in as text.
//!
//! ```
//! use mosaic_types::settings::Settings;
//!
//! let settings = Settings::parse("[gateway]\nworkrs = 4\n", "config.toml").expect("valid TOML");
//! let root = settings.root();
//! let gateway = root.section("gateway");
//! assert_eq!(gateway.whole("workers", 2, 1..=64), 2);
//! drop((gateway, root));
//! let mistakes = settings.finish().expect_err("one key is misspelt");
//! assert_eq!(
//!     mistakes.to_string(),
//!     "config.toml:2: gateway.workrs: unknown key; did you mean \"workers\"?"
//! );
//! ```

mod env;
mod mistake;
mod nearest;
mod section;
mod shown;
mod span;
mod take;
#[cfg(test)]
mod tests;
mod tree;

use std::cell::RefCell;
use std::sync::Arc;

pub use mistake::{Mistake, Mistakes, Place};
pub use nearest::nearest;
pub(crate) use nearest::suggest;
pub use section::Section;
pub use shown::{Effective, Shown};
pub use span::{BadSpan, parse_span, render_span};
use tree::{Node, Origin, Table, Value};

/// What every variable that overrides a setting begins with.
pub const ENV_PREFIX: &str = "MOSAIC__";

/// Settings that were parsed and wait to be read.
#[derive(Debug)]
pub struct Settings {
    /// The file's name as mistakes show it; `None` where no file was read.
    file: Option<Arc<str>>,
    root: Node,
    mistakes: RefCell<Vec<Mistake>>,
    shown: RefCell<Vec<Shown>>,
}

impl Settings {
    /// Settings of no file at all: every value is its default until the environment says otherwise.
    pub fn empty() -> Self {
        Self::of(None, Table::default())
    }

    /// Parses a file's text. Fails with every syntax error that the parser could find in one go.
    pub fn parse(text: &str, file: &str) -> Result<Self, Mistakes> {
        let file: Arc<str> = file.into();
        let table = tree::parse(text, &file)?;
        Ok(Self::of(Some(file), table))
    }

    fn of(file: Option<Arc<str>>, table: Table) -> Self {
        let root = Node { origin: Origin::Line(1), value: Value::Table(table) };
        Self { file, root, mistakes: RefCell::default(), shown: RefCell::default() }
    }

    /// Lays variables over the file's values: `MOSAIC__GATEWAY__BIND` sets `gateway.bind`. Others are passed over.
    ///
    /// A part of the name finds the key that is there in any case, and `_` in it also stands for `-` and `.`. A new
    /// part is taken in lower case, or as it is written where it holds lower case letters. Values have no type of
    /// their own: whoever reads them says what they are. A list is written `a, b` or as a TOML array.
    pub fn override_env<K: AsRef<str>, V: Into<String>>(&mut self, vars: impl IntoIterator<Item = (K, V)>) {
        env::lay_over(self, vars);
    }

    /// The whole file as a section. Read every table once: a section knows only the keys it was asked for itself.
    pub fn root(&self) -> Section<'_> {
        Section::new(self, Vec::new(), Some(&self.root))
    }

    /// Notes a mistake about the value at `path`, for checks that look at more than one value.
    pub fn wrong(&self, path: &[&str], found: impl Into<String>, right: impl Into<String>) {
        let mut node = Some(&self.root);
        let mut nearest = None;
        for part in path {
            node = node.and_then(|node| node.child(part));
            nearest = node.map(|node| &node.origin).or(nearest);
        }
        self.note(nearest, path, found, right);
    }

    /// The line of the file that makes what is at `path`; `None`: it is not there, or from the environment.
    pub fn line(&self, path: &[&str]) -> Option<usize> {
        let node = path.iter().try_fold(&self.root, |node, part| node.child(part))?;
        match node.origin {
            Origin::Line(line) => Some(line),
            Origin::Variable(_) => None,
        }
    }

    /// As [`Settings::wrong`], of a key of an entry (from 0) in a list of tables.
    pub fn wrong_in(&self, list: &[&str], index: usize, key: &str, found: impl Into<String>, right: impl Into<String>) {
        let entry = tree::entry(index);
        let path: Vec<&str> = list.iter().copied().chain([entry.as_str(), key]).collect();
        self.wrong(&path, found, right);
    }

    /// Notes that a value was set although nobody read it, so that the effective settings show it.
    pub fn show(&self, path: &[&str], value: impl Into<toml::Value>, why: &str) {
        let path = path.iter().map(|&part| part.to_owned()).collect();
        self.shown.borrow_mut().push(Shown { path, value: value.into().to_string(), origin: why.to_owned() });
    }

    /// Ends the reading: what is in force, or everything that was wrong, in the order of the file.
    pub fn finish(self) -> Result<Effective, Mistakes> {
        let mistakes = self.mistakes.into_inner();
        if mistakes.is_empty() { Ok(Effective::new(self.shown.into_inner())) } else { Err(Mistakes::new(mistakes)) }
    }

    fn place(&self, origin: Option<&Origin>) -> Place {
        match (origin, &self.file) {
            (Some(Origin::Variable(name)), _) => Place::Variable(name.clone()),
            (Some(Origin::Line(line)), Some(file)) => Place::Line { file: file.clone(), line: *line, column: None },
            (None, Some(file)) => Place::File(file.clone()),
            (_, None) => Place::Defaults,
        }
    }

    fn note<S: AsRef<str>>(
        &self,
        origin: Option<&Origin>,
        path: &[S],
        found: impl Into<String>,
        right: impl Into<String>,
    ) {
        let key = tree::dotted(path);
        let mistake = Mistake { place: self.place(origin), key, found: found.into(), right: right.into() };
        self.mistakes.borrow_mut().push(mistake);
    }
}
