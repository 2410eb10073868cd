//! Python in an answer: whether it parses, and what it defines. Nothing is executed.

use super::super::parts::Fence;
use super::super::python;
use super::super::verdict::Verdict;

/// Passes if the code of the answer parses as Python 3.11 and defines the names at its top level. The code is what stands in
/// fences for Python, or in fences that name no language, together; of an answer without fences all of it.
pub(super) fn judge(answer: &str, names: &[String]) -> Verdict {
    let code = code(answer);
    if code.trim().is_empty() {
        return Verdict::missing("there is no code");
    }
    match python::module(&code) {
        Err(fault) => {
            let start = code[..fault.place.start.min(code.len())].rfind('\n').map_or(0, |at| at + 1);
            let line = code[start..].lines().next().unwrap_or_default();
            Verdict::at(line, format!("this is not Python 3.11: {}", fault.message))
        }
        Ok(module) => match names.iter().find(|name| !module.names.contains(name)) {
            Some(name) => Verdict::missing(format!("`{name}` is not defined")),
            None => Verdict::Pass,
        },
    }
}

fn code(answer: &str) -> String {
    let mut fenced = Vec::new();
    let mut has_fence = false;
    let mut open: Option<(Fence, bool)> = None;
    for line in answer.lines() {
        match &open {
            Some((fence, _)) if fence.is_closed_by(line) => open = None,
            Some((_, is_python)) => {
                if *is_python {
                    fenced.push(line);
                }
            }
            None => {
                if let Some(fence) = Fence::open(line) {
                    has_fence = true;
                    let language = fence.info.split([' ', ',', '{']).next().unwrap_or_default().to_owned();
                    let is_python =
                        matches!(language.as_str(), "" | "python" | "py" | "python3" | "python3.11" | "py3");
                    open = Some((fence, is_python));
                }
            }
        }
    }
    if has_fence { unindented(&fenced) } else { answer.to_owned() }
}

/// Fences in a list are indented, and so is all that stands in them.
fn unindented(lines: &[&str]) -> String {
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let least = lines.iter().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    let without = |line: &&str| line.get(least..).unwrap_or_default().to_owned();
    lines.iter().map(without).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(answer: &str) -> Verdict {
        judge(answer, &["f".to_owned()])
    }

    #[test]
    fn code_in_fences_or_alone_is_read() {
        for answer in [
            "설명\n```python\ndef f():\n    return 1\n```\n끝",
            "```\ndef f(): ...\n```",
            "def f():\n    return 1",
            "1. 함수\n   ```py\n   def f():\n       return 1\n   ```",
            "```python\ndef f():\n    return 1",
            "```bash\npip install x\n```\n```python\nasync def f(): ...\n```",
        ] {
            assert_eq!(verdict(answer), Verdict::Pass, "{answer}");
        }
    }

    #[test]
    fn what_does_not_parse_or_lacks_the_name_fails() {
        for answer in [
            "설명만 있습니다.",
            "```python\ndef g(): ...\n```",
            "```python\ndef f(:\n```",
            "",
            "```bash\nls\n```",
            "class A:\n    def f(self): ...",
        ] {
            assert!(verdict(answer).is_fail(), "{answer}");
        }
    }
}
