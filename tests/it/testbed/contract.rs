//! What the document of the API promises, held against every answer that a test gets.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use mosaic_testkit::http::Response;
use serde_json::{Map, Value, json};

/// The document, as this build would serve it.
fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut document = serde_json::to_value(mosaic::gateway::document()).expect("it serialises");
        let schemas = document["components"]["schemas"].as_object_mut().expect("schemas");
        schemas.values_mut().for_each(close_within);
        document
    })
}

/// Allows nothing in a value that its schema does not name. The document leaves that open, so that fields may be added;
/// here every field that is sent must be in it.
fn close(schema: &mut Value) {
    close_within(schema);
    let Some(schema) = schema.as_object_mut() else { return };
    let shaped = ["properties", "allOf", "oneOf", "anyOf", "$ref"].iter().any(|key| schema.contains_key(*key));
    if shaped && !schema.contains_key("additionalProperties") {
        schema.insert("unevaluatedProperties".to_owned(), false.into());
    }
}

/// The same for the values inside; the schema itself may be one part of several.
fn close_within(schema: &mut Value) {
    for part in ["allOf", "oneOf", "anyOf"] {
        schema.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten().for_each(close_within);
    }
    schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten().for_each(|(_, one)| close(one));
    if let Some(items) = schema.get_mut("items") {
        close(items);
    }
}

/// The errors of `value` by `schema`.
fn errors(name: &str, schema: &Value, value: &Value) -> Vec<String> {
    static VALIDATORS: OnceLock<Mutex<HashMap<String, &'static Validator>>> = OnceLock::new();
    let mut known = VALIDATORS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let validator = *known.entry(name.to_owned()).or_insert_with(|| {
        let mut whole = schema.clone();
        close(&mut whole);
        whole["components"] = document()["components"].clone();
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&whole);
        Box::leak(Box::new(validator.unwrap_or_else(|error| panic!("{name}: {error}"))))
    });
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Whether a path is one that a template stands for. The name of a model may hold slashes.
fn fits(template: &str, path: &str) -> bool {
    if let Some(model) = template.strip_suffix("{id}").filter(|start| start.starts_with("/v1/models/")) {
        return path.strip_prefix(model).is_some_and(|name| !name.is_empty());
    }
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let part = |(part, one): (&&str, &&str)| if part.starts_with('{') { !one.is_empty() } else { part == one };
    template.len() == path.len() && template.iter().zip(&path).all(part)
}

/// The operation that a request asks for, with its name.
fn operation(method: &str, path: &str) -> Option<(String, &'static Map<String, Value>)> {
    let paths = document()["paths"].as_object().expect("paths");
    let fitting = paths.iter().filter(|(template, _)| fits(template, path));
    let item = |(template, item): (&'static String, &'static Value)| {
        let operation = item.get(method.to_lowercase())?.as_object()?;
        Some((format!("{method} {template}"), operation))
    };
    fitting.filter_map(item).next()
}

/// Holds an answer against the document: status, type of content, body.
pub(crate) fn check(method: &str, path: &str, response: &Response) {
    let path = path.split('?').next().unwrap_or_default();
    if path == "/api/v1/chaos" {
        return;
    }
    let told = format!("{method} {path} answered {} {}", response.status(), response.text());
    let Some((name, operation)) = operation(method, path) else {
        if method == "HEAD" {
            assert_eq!((response.status() / 100, response.body.len()), (4, 0), "undocumented: {told}");
            return;
        }
        let errors = errors("Error", &json!({"$ref": "#/components/schemas/Error"}), &response.json());
        assert!([401, 404, 405].contains(&response.status()) && errors.is_empty(), "undocumented: {told}: {errors:#?}");
        return;
    };
    let documented = &operation["responses"][response.status().to_string().as_str()];
    assert!(documented.is_object(), "{name}: an undocumented status: {told}");
    let Some(contents) = documented["content"].as_object() else {
        assert!(response.body.is_empty(), "{name}: an undocumented body: {told}");
        return;
    };
    let kind = response.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let content = contents.get(kind).unwrap_or_else(|| panic!("{name}: an undocumented type {kind:?}: {told}"));
    if kind == "application/json" {
        let errors = errors(&format!("{name} {}", response.status()), &content["schema"], &response.json());
        assert!(errors.is_empty(), "{name}: not as documented: {told}: {errors:#?}");
    }
}

/// Holds one server-sent event against the document.
pub(crate) fn check_event(event: &Value) {
    let schema = match event {
        _ if event.get("error").is_some() => "Error",
        _ if event.get("choices").is_some() => "CompletionChunk",
        _ => "SessionEvent",
    };
    let errors = errors(schema, &json!({"$ref": format!("#/components/schemas/{schema}")}), event);
    assert!(errors.is_empty(), "no {schema} as documented: {event}: {errors:#?}");
}
