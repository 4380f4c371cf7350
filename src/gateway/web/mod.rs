//! The dashboard: one page, served from the binary, that is a client of the API like any other.
//!
//! The page holds nobody's data: it asks for what it shows, by the cookie of a browser that is signed in. So its
//! templates are `<template>` elements that its own modules fill in, and no engine is needed for the one thing that the
//! daemon puts into it. What models wrote is made into HTML here (`markdown`), never in the browser.

mod assets;
mod markdown;
mod page;
mod render;

pub(super) use assets::asset;
pub(super) use page::page;
pub(super) use render::render;

pub(in crate::gateway) use assets::folder;

// What `#[utoipa::path]` makes beside each handler.
pub(super) use assets::__path_asset;
pub(super) use page::__path_page;
pub(super) use render::__path_render;
