//! Reads settings out of TOML.
