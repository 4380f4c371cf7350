//! Changes the config file the way a person would: in place, with comments and order kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mosaic_types::{ProviderName, Secret};
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::FILE;
use crate::home::write_private;

/// Why a provider was not added.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("the provider \"{0}\" is configured already")]
    Exists(ProviderName),
    #[error("{path} is not valid TOML; put it right first (`mosaic config check` says where)")]
    Syntax { path: PathBuf },
    #[error("\"{key}\" in {path} is not a table")]
    NotATable { key: String, path: PathBuf },
    #[error("cannot {what} {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub config: PathBuf,
    /// Where the key is kept, if there is one.
    pub key: Option<PathBuf>,
    /// Whether a table of that name was there before.
    pub replaced: bool,
}

/// A provider to be written down.
#[derive(Debug, Clone)]
pub struct NewProvider<'a> {
    pub name: &'a ProviderName,
    pub kind: &'a str,
    /// `None` leaves it to the kind.
    pub base_url: Option<&'a str>,
    pub key: Option<&'a Secret>,
}

/// Writes the key to `HOME/keys/NAME` and `[providers.NAME]` to `HOME/config.toml`, which is made if it is not there.
///
/// A table of that name is refused unless `replace` is set; then kind, address and key are set anew, the rest of it
/// stays. The key is written first, so that the config never names one that is not there.
pub fn add_provider(home: &Path, new: &NewProvider<'_>, replace: bool) -> Result<Added, EditError> {
    let config = resolve(home.join(FILE));
    let text = match fs::read_to_string(&config) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(EditError::Io { what: "read", path: config, source }),
    };
    let mut document: DocumentMut = text.parse().map_err(|_| EditError::Syntax { path: config.clone() })?;
    let (provider, replaced) = provider_table(&mut document, new.name, &config)?;
    if replaced && !replace {
        return Err(EditError::Exists(new.name.clone()));
    }
    let key_path = Path::new("keys").join(new.name.as_str());
    set(provider, "kind", Some(new.kind));
    set(provider, "base_url", new.base_url);
    set(provider, "api_key_env", None);
    set(provider, "api_key_file", new.key.map(|_| format!("keys/{}", new.name)).as_deref());

    let write = |path: &Path, bytes: &[u8]| {
        write_private(path, bytes).map_err(|source| EditError::Io { what: "write", path: path.to_owned(), source })
    };
    let key = new.key.map(|key| (home.join(&key_path), key));
    if let Some((path, key)) = &key {
        write(path, key.expose().as_bytes())?;
    }
    write(&config, document.to_string().as_bytes())?;
    Ok(Added { config, key: key.map(|(path, _)| path), replaced })
}

/// Writes `[providers.NAME.models."MODEL"]` to the file that [`add_provider`] wrote, so that agents that name no models
/// use this one. A model that is there already is left as it is.
pub fn add_model(config: &Path, provider: &ProviderName, model: &str) -> Result<(), EditError> {
    let text =
        fs::read_to_string(config).map_err(|source| EditError::Io { what: "read", path: config.to_owned(), source })?;
    let mut document: DocumentMut = text.parse().map_err(|_| EditError::Syntax { path: config.to_owned() })?;
    let (table, _) = provider_table(&mut document, provider, config)?;
    let mut implicit = Table::new();
    implicit.set_implicit(true);
    let models =
        table.entry("models").or_insert(Item::Table(implicit)).as_table_like_mut().ok_or_else(|| {
            EditError::NotATable { key: format!("providers.{provider}.models"), path: config.to_owned() }
        })?;
    if models.contains_key(model) {
        return Ok(());
    }
    models.insert(model, toml_edit::table());
    write_private(config, document.to_string().as_bytes()).map_err(|source| EditError::Io {
        what: "write",
        path: config.to_owned(),
        source,
    })
}

/// The table to write to, made if it is not there, and whether it was.
fn provider_table<'d>(
    document: &'d mut DocumentMut,
    name: &ProviderName,
    path: &Path,
) -> Result<(&'d mut dyn TableLike, bool), EditError> {
    let not_a_table = |key: String| EditError::NotATable { key, path: path.to_owned() };
    let known =
        document.get("providers").and_then(Item::as_table_like).is_some_and(|all| all.contains_key(name.as_str()));
    let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
    let empty = document.is_empty();
    if !known {
        document.set_trailing("");
    }
    // Not written as `[providers]`: its tables say enough.
    let mut implicit = Table::new();
    implicit.set_implicit(true);
    let providers = document.entry("providers").or_insert(Item::Table(implicit));
    let providers = providers.as_table_like_mut().ok_or_else(|| not_a_table("providers".into()))?;
    let replaced = providers.contains_key(name.as_str());
    let mut last = Table::new();
    // At the end of the file: a comment in front of another table may well belong to the one before it.
    last.set_position(isize::MAX);
    last.decor_mut().set_prefix(match (empty, trailing.trim_end()) {
        (true, "") => String::new(),
        (false, "") => "\n".to_owned(),
        (_, end) => format!("{end}\n\n"),
    });
    let provider = providers.entry(name.as_str()).or_insert(Item::Table(last));
    let provider = provider.as_table_like_mut().ok_or_else(|| not_a_table(format!("providers.{name}")))?;
    Ok((provider, replaced))
}

/// Sets a text, with the comment behind it kept, or takes the key out.
fn set(table: &mut dyn TableLike, key: &str, text: Option<&str>) {
    let Some(text) = text else {
        table.remove(key);
        return;
    };
    let mut new = value(text);
    if let (Some(old), Some(new)) = (table.get(key).and_then(Item::as_value), new.as_value_mut()) {
        *new.decor_mut() = old.decor().clone();
    }
    table.insert(key, new);
}

/// The file behind a link, so that it is the file that is replaced, not the link to a person's dotfiles.
fn resolve(path: PathBuf) -> PathBuf {
    fs::canonicalize(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn openai() -> ProviderName {
        "openai".parse().expect("a name")
    }

    #[test]
    fn a_provider_is_added_to_an_empty_home() {
        let home = tempfile::tempdir().expect("a folder");
        let (name, key) = (openai(), Secret::new("sk-1"));
        let new = NewProvider { name: &name, kind: "openai", base_url: None, key: Some(&key) };
        let added = add_provider(home.path(), &new, false).expect("added");
        assert_eq!(
            fs::read_to_string(&added.config).expect("written"),
            "[providers.openai]\nkind = \"openai\"\napi_key_file = \"keys/openai\"\n"
        );
        let key_path = added.key.expect("a key was given");
        assert_eq!(key_path, home.path().join("keys/openai"));
        assert_eq!(fs::read_to_string(&key_path).expect("written"), "sk-1");
        #[cfg(unix)]
        for (path, mode) in [(key_path.as_path(), 0o600), (key_path.parent().expect("keys"), 0o700)] {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(path).expect("it exists").permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn a_model_is_added_once_below_its_provider() {
        let home = tempfile::tempdir().expect("a folder");
        let name = openai();
        let new = NewProvider { name: &name, kind: "openai", base_url: None, key: None };
        let added = add_provider(home.path(), &new, false).expect("added");
        for _ in 0..2 {
            add_model(&added.config, &name, "gpt-5-mini").expect("added");
            assert_eq!(
                fs::read_to_string(&added.config).expect("written"),
                "[providers.openai]\nkind = \"openai\"\n\n[providers.openai.models.gpt-5-mini]\n"
            );
        }
    }

    #[test]
    fn comments_and_order_of_the_file_are_kept() {
        let home = tempfile::tempdir().expect("a folder");
        let before = "# mine\ndetect = false # no\n\n[providers.ollama] # at home\nkind = \"openai\"\n#max_in_flight = 2\n\n[agents.ada]\n# end\n";
        fs::write(home.path().join(FILE), before).expect("written");
        let name = openai();
        let new = NewProvider { name: &name, kind: "openai", base_url: Some("http://127.0.0.1:1/v1"), key: None };
        add_provider(home.path(), &new, false).expect("added");
        let after = fs::read_to_string(home.path().join(FILE)).expect("written");
        assert_eq!(
            after,
            format!("{before}\n[providers.openai]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\n")
        );
        assert!(!home.path().join("keys").exists());
    }

    #[test]
    fn an_existing_provider_is_replaced_only_when_asked() {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join(FILE);
        let before = "[providers.openai]\nkind = \"old\" # why\napi_key_env = \"KEY\"\nmax_in_flight = 2\n";
        fs::write(&file, before).expect("written");
        let (name, key) = (openai(), Secret::new("sk-1"));
        let new = NewProvider { name: &name, kind: "openai", base_url: None, key: Some(&key) };
        let refusal = add_provider(home.path(), &new, false).expect_err("it exists");
        assert_eq!(refusal.to_string(), "the provider \"openai\" is configured already");
        assert_eq!(fs::read_to_string(&file).expect("untouched"), before);
        assert!(!home.path().join("keys").exists());

        assert!(add_provider(home.path(), &new, true).expect("replaced").replaced);
        assert_eq!(
            fs::read_to_string(&file).expect("written"),
            "[providers.openai]\nkind = \"openai\" # why\nmax_in_flight = 2\napi_key_file = \"keys/openai\"\n"
        );
    }

    #[test]
    fn an_inline_table_is_extended_and_a_broken_file_is_left_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join(FILE);
        let name = openai();
        let new = NewProvider { name: &name, kind: "openai", base_url: None, key: None };
        fs::write(&file, "providers = { ollama = { kind = \"openai\" } }\n").expect("written");
        add_provider(home.path(), &new, false).expect("added");
        let table: toml::Table = fs::read_to_string(&file).expect("written").parse().expect("TOML");
        assert_eq!(table["providers"]["openai"]["kind"].as_str(), Some("openai"));
        assert_eq!(table["providers"]["ollama"]["kind"].as_str(), Some("openai"));
        for broken in ["providers = 3\n", "[providers]\nopenai = 3\n", "not toml"] {
            fs::write(&file, broken).expect("written");
            add_provider(home.path(), &new, true).expect_err("it cannot be edited");
            assert_eq!(fs::read_to_string(&file).expect("untouched"), broken);
        }
    }
}
