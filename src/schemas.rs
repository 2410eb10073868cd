//! What `schemas/` says of the documents that the program writes, for the tests of those.

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

pub(crate) struct Schema(&'static str);

pub(crate) const RUN: Schema = Schema(include_str!("../schemas/run.schema.json"));
pub(crate) const CHECK: Schema = Schema(include_str!("../schemas/check.schema.json"));
pub(crate) const BASELINE: Schema = Schema(include_str!("../schemas/baseline.schema.json"));

impl Schema {
    fn value(&self) -> Value {
        serde_json::from_str(self.0).expect("the schema is JSON")
    }

    fn with_validator<T>(&self, use_it: impl FnOnce(&Validator) -> T) -> T {
        let schema = self.value();
        assert!(jsonschema::meta::is_valid(&schema), "the schema is a JSON Schema");
        // The base of a schema that does not say where it lies.
        let registry = Registry::new().add("json-schema:///run.schema.json", RUN.value()).expect("a URI");
        let registry = registry.prepare().expect("a registry");
        let options = jsonschema::options().should_validate_formats(true).with_registry(&registry);
        use_it(&options.build(&schema).expect("the schema can be used"))
    }

    /// Where a document breaks the schema.
    pub(crate) fn complaints(&self, document: &Value) -> Vec<String> {
        self.with_validator(|schema| complaints(schema, document))
    }

    /// Asserts that each of these values would break the schema where it is put.
    pub(crate) fn refuses<const N: usize>(&self, document: &Value, wrong: [(&str, Value); N]) {
        self.with_validator(|schema| {
            for (pointer, value) in wrong {
                let mut document = document.clone();
                *document.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is there")) = value;
                let found = complaints(schema, &document);
                assert!(found.iter().any(|at| pointer.starts_with(at.as_str())), "{pointer}: {found:?}");
            }
        });
    }

    /// Asserts that no object of a document could have another member, or lack one; but for the objects at `open`, of which
    /// any key is a name.
    pub(crate) fn knows_every_member(&self, document: &Value, open: &[&str]) {
        assert_eq!(self.complaints(document), Vec::<String>::new());
        self.with_validator(|schema| {
            for object in pointers_of_objects(document, String::new()) {
                if open.iter().any(|open| object.ends_with(open)) {
                    continue;
                }
                let members = |document: &mut Value| {
                    document.pointer_mut(&object).and_then(Value::as_object_mut).expect("an object").clone()
                };
                let mut more = document.clone();
                let known = members(&mut more);
                more.pointer_mut(&object).expect("an object")["unheard_of"] = json!(1);
                assert!(!complaints(schema, &more).is_empty(), "an unknown member of `{object}` is let through");
                for name in known.keys() {
                    let mut less = document.clone();
                    less.pointer_mut(&object).and_then(Value::as_object_mut).expect("an object").remove(name);
                    assert!(!complaints(schema, &less).is_empty(), "`{object}` without `{name}` is let through");
                }
            }
        });
    }
}

fn complaints(schema: &Validator, document: &Value) -> Vec<String> {
    schema.iter_errors(document).map(|error| error.instance_path().to_string()).collect()
}

fn pointers_of_objects(value: &Value, at: String) -> Vec<String> {
    let inner: Vec<String> = match value {
        Value::Object(members) => {
            members.iter().flat_map(|(name, value)| pointers_of_objects(value, format!("{at}/{name}"))).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(n, value)| pointers_of_objects(value, format!("{at}/{n}"))).collect()
        }
        _ => Vec::new(),
    };
    if value.is_object() { [vec![at], inner].concat() } else { inner }
}
