//! The house itself: its rooms know what they may, its scorecard claims what is there, its sample is good.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mosaic_testkit::StandIn;
use toml::Table;

use crate::testbed::{Testbed, run};

/// Which rooms of ours each room may use, and whether it may know actix. The table of STYLE, section 1.
const MAY_USE: [(&str, &[&str], bool); 9] = [
    ("types", &[], false),
    ("supervise", &[], true),
    ("messages", &["types"], true),
    ("store", &["types"], false),
    ("providers", &["types"], false),
    ("tools", &["types"], false),
    ("runtime", &["types", "supervise", "messages", "store", "providers", "tools"], true),
    ("channels", &["types", "messages", "supervise"], true),
    ("testkit", &[], false),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries.map(|entry| entry.expect("a folder can be listed").path()).collect()
}

/// Names in one table of dependencies, those for one platform only included.
fn dependencies(manifest: &Table, table: &str) -> BTreeSet<String> {
    let of = |manifest: &Table| manifest.get(table).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let targets = manifest.get("target").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let tables = std::iter::once(of(manifest)).chain(targets.values().filter_map(|target| target.as_table().map(of)));
    tables.flat_map(|table| table.into_iter().map(|(name, _)| name)).collect()
}

#[test]
fn no_room_knows_more_of_the_house_than_it_may() {
    let rooms: BTreeMap<_, _> = MAY_USE.iter().map(|(room, may, actix)| (*room, (*may, *actix))).collect();
    let mut seen = 0;
    for folder in folders(&root().join("actors")) {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a room has a name").to_owned();
        let manifest: Table = read(&folder.join("Cargo.toml")).parse().expect("a manifest is TOML");
        assert_eq!(manifest["package"]["name"].as_str(), Some(format!("mosaic-{name}").as_str()));
        let (may, actix) = rooms.get(name.as_str()).unwrap_or_else(|| panic!("{name} is no room of STYLE's table"));
        for table in ["dependencies", "build-dependencies"] {
            for used in dependencies(&manifest, table) {
                if let Some(used) = used.strip_prefix("mosaic-") {
                    assert!(may.contains(&used), "{name} must not know {used}");
                }
                assert_ne!(used, "mosaic", "{name} must not know the top floor");
                assert!(*actix || !used.starts_with("actix"), "{name} must not know {used}");
            }
        }
        for used in dependencies(&manifest, "dev-dependencies") {
            if let Some(used) = used.strip_prefix("mosaic-") {
                let allowed = used == "testkit" || used == name || may.contains(&used);
                assert!(allowed, "{name} must not know {used}, in its tests neither");
            }
        }
        seen += 1;
    }
    assert!(seen >= 7, "only {seen} rooms were found");
}

/// Every test function in the sources, with the files it stands in.
fn tests() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut waiting: Vec<PathBuf> = ["actors", "benches", "src", "tests"].map(|folder| root().join(folder)).into();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(folders(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
            for name in tests_in(&read(&path)) {
                found.entry(name).or_default().push(file.clone());
            }
        }
    }
    found
}

/// The functions under a `#[test]`, by whatever name (`#[tokio::test]`, `#[actix::test]`), and the checks that a
/// room's contract makes into tests.
fn tests_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut marked, mut contract) = (false, false);
    for line in text.lines().map(str::trim) {
        let function = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        let function = function.trim_start_matches("async ").strip_prefix("fn ");
        if contract {
            contract = !line.starts_with([')', '}']);
            names.extend(line.split_whitespace().map(str::to_owned));
        } else if line.starts_with("$crate::") && line.contains("_contract!") && line.contains('$') {
            // The list of checks that the contract's macro hands on to itself.
            contract = true;
        } else if line.starts_with("#[") {
            let name = line.trim_start_matches("#[").split(['(', ']']).next().unwrap_or_default();
            marked |= name == "test" || name.ends_with("::test");
        } else if let Some(function) = function {
            if marked {
                names.push(function.split(['(', '<']).next().unwrap_or_default().trim().to_owned());
            }
            marked = false;
        }
    }
    names
}

/// The names in backticks in the last column of the scorecard's tables.
fn claimed(scorecard: &str) -> Vec<String> {
    let rows = scorecard.lines().map(str::trim).filter(|line| line.starts_with('|') && line.ends_with('|'));
    let last = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    last.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_proof_that_the_scorecard_names_is_there() {
    let tests = tests();
    let claimed = claimed(&read(&root().join("SCORECARD.md")));
    assert!(claimed.len() > 20, "the scorecard names its proofs: {claimed:?}");
    let mut missing = Vec::new();
    for claim in &claimed {
        // `crate: path::name`, `module::name` or the bare name.
        let path: Vec<&str> = claim.split([':', ' ']).filter(|part| !part.is_empty()).collect();
        let Some((name, place)) = path.split_last() else { continue };
        let there = |file: &&String| place.iter().all(|part| file.contains(part.trim_start_matches("mosaic-")));
        if !tests.get(*name).is_some_and(|files| files.iter().any(|file| there(&file))) {
            missing.push(claim);
        }
    }
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

#[test]
fn every_decoder_has_a_fuzz_target() {
    let fuzz = root().join("fuzz");
    let manifest = read(&fuzz.join("Cargo.toml"));
    for wire in mosaic_providers::decode::WIRES.into_iter().chain(["events"]) {
        let file = format!("fuzz_targets/{}.rs", wire.replace('-', "_"));
        assert!(manifest.contains(&format!("name = \"{wire}\"\npath = \"{file}\"")), "{wire} is no target");
        let target = read(&fuzz.join(file));
        assert!(target.contains("fuzz_target!") && target.contains(wire), "{wire} is not what its target reads");
    }
}

#[test]
fn the_document_tells_every_route_and_no_other() {
    let document = serde_json::to_value(mosaic::gateway::document()).expect("it serialises");
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, item): (&String, &serde_json::Value)| {
        let methods: Vec<_> = item.as_object().expect("an item").keys().map(|method| method.to_uppercase()).collect();
        methods.into_iter().map(move |method| format!("{method} {path}")).collect::<Vec<_>>()
    };
    let told: BTreeSet<_> = paths.iter().flat_map(of).collect();
    // Builds for tests only have a route more.
    let rows = mosaic::gateway::table().into_iter().filter(|row| !row.path.ends_with("/chaos"));
    let there: BTreeSet<_> =
        rows.map(|row| format!("{} {}", row.method, mosaic::gateway::documented(row.path))).collect();
    let (untold, unknown): (Vec<_>, Vec<_>) = (there.difference(&told).collect(), told.difference(&there).collect());
    assert!(
        untold.is_empty() && unknown.is_empty(),
        "a route has #[utoipa::path] on its handler and stands in the list of src/gateway/document.rs; \
         missing there: {untold:#?}; not in the route table: {unknown:#?}"
    );
}

#[tokio::test]
async fn the_sample_of_the_settings_is_good_as_it_stands() {
    let bed = Testbed::asleep(StandIn::builder());
    let sample = root().join("config.toml");
    let sample = sample.to_str().expect("a path in UTF-8");
    run(bed.command(&["config", "check", "--config", sample]), "").await.good();
    let printed = run(bed.command(&["config", "sample"]), "").await.good();
    assert_eq!(printed, read(Path::new(sample)));
}

#[tokio::test]
async fn every_mistake_in_the_settings_is_told_with_its_place_and_nothing_starts() {
    let bed = Testbed::asleep(StandIn::builder());
    bed.write_config("detect = 1\n[gateway]\nbnid = \"127.0.0.1:0\"\n");
    for args in [&["config", "check"][..], &["up"], &["chat", "hello"]] {
        let refused = run(bed.command(args), "").await;
        assert_eq!(refused.code, Some(64), "{args:?}: {refused:?}");
        let told = refused.stdout + &refused.stderr;
        assert!(told.contains("config.toml:1: detect") && told.contains("config.toml:3: gateway.bnid"), "{told}");
        assert!(told.contains("\"bind\""), "the nearest key is named: {told}");
    }
    assert!(!bed.database().exists());
}
