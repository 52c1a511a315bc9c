//! The OpenAPI document of the administration API, made from the table of its calls and from the types of `api`.
//! What lives here: the translation. What does not: the table, so that the two cannot differ.

use api::admin;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::{Answer, Operation, operations};

/// All types that are sent or answered.
#[derive(OpenApi)]
#[openapi(components(schemas(
    admin::Problem,
    admin::Store,
    admin::StoreState,
    admin::StoreChange,
    admin::Mount,
    admin::MountState,
    admin::MountRequest,
    admin::Squash,
    admin::Driver,
    admin::Snapshot,
    admin::SnapshotState,
    admin::Job,
    admin::JobKind,
    admin::JobState,
    admin::Event,
    admin::Severity,
    admin::Progress,
    admin::PointState,
    admin::RecoveryPoint,
    admin::RecoveryPointContent,
    admin::LogContent,
    admin::DatabaseContent,
    admin::DatafileContent,
    admin::PointFile,
    admin::RestoreRequest,
    admin::RestoredData,
    admin::Hold,
    admin::RetentionRules,
    admin::RetentionPlan,
    admin::RetentionDecision,
    admin::RepositoryStats,
    admin::CheckRequest,
    admin::Ingest,
)))]
struct Schemas;

/// The document.
pub(super) fn document() -> Value {
    let schemas = serde_json::to_value(Schemas::openapi()).unwrap_or_default();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(
                operation.method.as_str().to_lowercase(),
                described(&operation),
            );
        }
    }
    let mut components = schemas["components"].clone();
    components["securitySchemes"] = json!({"token": {"type": "http", "scheme": "bearer"}});
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Backstay store: administration",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the command line speaks. Times are RFC 3339 in UTC, sizes are bytes.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": components,
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn content(schema: &Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn described(operation: &Operation) -> Value {
    let in_path = operation
        .path
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map(|(name, _)| name);
    let mut parameters: Vec<Value> = in_path
        .into_iter()
        .map(|name| {
            let kind = if name == "id" { "integer" } else { "string" };
            json!({"name": name, "in": "path", "required": true, "schema": {"type": kind}})
        })
        .collect();
    parameters.extend(operation.parameters.iter().map(|name| {
        let kind = match *name {
            "force" => "boolean",
            "mount" => "string",
            _ => "integer",
        };
        json!({"name": name, "in": "query", "required": false, "schema": {"type": kind}})
    }));
    let answer = match operation.answer {
        Answer::One(name) => reference(name),
        Answer::Many(name) => json!({"type": "array", "items": reference(name)}),
        Answer::Document => json!({"type": "object"}),
    };
    let mut described = json!({
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done", "content": content(&answer)},
            "default": {"description": "Refused or failed", "content": content(&reference("Problem"))},
        },
    });
    if let Some(request) = operation.request {
        described["requestBody"] =
            json!({"required": true, "content": content(&reference(request))});
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` in a value.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20);
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_call_is_described_once() {
        let document = document();
        let described: usize = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|path| path.as_object().unwrap().len())
            .sum();
        assert_eq!(described, operations().len());
    }
}
