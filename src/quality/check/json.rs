//! An answer that is one JSON value.

use serde_json::Value;

use super::super::parts::Fence;
use super::super::verdict::Verdict;
use crate::suite::Schema;

/// Passes if the answer is one JSON value that the schema allows: bare, or in one fence, also one that nobody closed. Prose
/// before or after it fails, and so does a second value.
pub(super) fn judge(answer: &str, schema: &Schema) -> Verdict {
    let content = match unfenced(answer) {
        Ok(content) => content,
        Err(after) => return Verdict::at(&after, "there is more than the JSON"),
    };
    let value: Value = match serde_json::from_str(content.trim()) {
        Ok(value) => value,
        Err(error) => {
            let place: String = content.trim().lines().nth(error.line().saturating_sub(1)).unwrap_or_default().into();
            return Verdict::at(&place, format!("this is no JSON: {error}"));
        }
    };
    match schema.fault(&value) {
        Some(fault) => Verdict::missing(format!("the schema does not allow it: {fault}")),
        None => Verdict::Pass,
    }
}

/// What stands in the fence, or the whole answer where it does not begin with one.
///
/// # Errors
/// What follows the fence.
fn unfenced(answer: &str) -> Result<String, String> {
    let mut lines = answer.lines();
    let Some(fence) = lines.next().and_then(Fence::open) else { return Ok(answer.to_owned()) };
    let mut inside = Vec::new();
    for line in lines.by_ref() {
        if fence.is_closed_by(line) {
            let after: Vec<&str> = lines.collect();
            let after = after.join("\n");
            return if after.trim().is_empty() { Ok(inside.join("\n")) } else { Err(after) };
        }
        inside.push(line);
    }
    Ok(inside.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(answer: &str) -> Verdict {
        let schema =
            serde_json::json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "string" } } });
        judge(answer, &Schema::new(schema).unwrap())
    }

    #[test]
    fn bare_and_fenced_json_passes_also_where_the_fence_is_open() {
        for answer in
            ["{\"a\": \"가\"}", "```json\n{\"a\": \"가\"}\n```", "```\n{\"a\": \"가\"}\n", "~~~\n{\"a\":\"\"}\n~~~\n"]
        {
            assert_eq!(verdict(answer), Verdict::Pass, "{answer}");
        }
    }

    #[test]
    fn prose_around_it_a_second_value_and_what_the_schema_forbids_fail() {
        for answer in [
            "결과: {\"a\": \"가\"}",
            "{\"a\": \"가\"} 입니다",
            "{\"a\": \"가\"}{\"a\": \"나\"}",
            "```json\n{\"a\": \"가\"}\n```\n설명",
            "{\"a\": 1}",
            "{}",
            "{\"a\": \"가\"",
            "",
        ] {
            assert!(verdict(answer).is_fail(), "{answer}");
        }
    }

    #[test]
    fn nesting_without_end_is_a_verdict() {
        assert!(verdict(&"[".repeat(100_000)).is_fail());
    }
}
