//! Parts: which characters of an answer are prose of the model's own, and which are code, keys, addresses or quotations.

use std::ops::Range;

use super::python;

/// What a character of an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text of the model's own: also the values of JSON, and within code the comments and the string literals of three or
    /// more words.
    Prose,
    /// Code, fenced, in backticks, or bare where it parses; also markup and the commands of formulas.
    Code,
    /// The key of a JSON object.
    Key,
    /// A web or mail address.
    Address,
    /// Text in quotation marks, or in a block quotation.
    Quotation,
}

/// Characters of a quotation, a span or a tag.
const LONGEST: usize = 2_000;

/// Fences without a language whose content is read: more of them is no answer that a person reads.
const FENCES: usize = 50;

/// Words from which a string literal in code is prose.
const LITERAL_WORDS: usize = 3;

/// An answer's characters, each with what it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) characters: Vec<char>,
    pub(crate) parts: Vec<Part>,
}

impl Parts {
    pub(crate) fn of(answer: &str) -> Self {
        let characters: Vec<char> = answer.chars().collect();
        let mut parts = Self { parts: vec![Part::Prose; characters.len()], characters };
        let blocks = parts.blocks();
        for block in &blocks {
            match block.kind {
                Kind::Prose => parts.mark_prose(block.range.clone()),
                Kind::Json => parts.mark_json(block.range.clone()),
                Kind::Code => parts.mark_code(block.range.clone()),
                Kind::Fence => parts.mark(block.range.clone(), Part::Code),
            }
        }
        parts
    }

    fn mark(&mut self, range: Range<usize>, part: Part) {
        if let Some(marked) = self.parts.get_mut(range) {
            marked.fill(part);
        }
    }

    fn text(&self, range: &Range<usize>) -> String {
        self.characters[range.clone()].iter().collect()
    }

    /// The lines, each without its end.
    pub(crate) fn lines(&self) -> Vec<Range<usize>> {
        lines(&self.characters)
    }

    /// The answer cut into blocks of lines of one kind.
    fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut prose: Vec<Range<usize>> = Vec::new();
        let mut fenced: Option<(Fence, Vec<Range<usize>>)> = None;
        let mut read = 0;
        // What stands in a fence without a language is read as code to find out, and reading takes its time.
        let mut kind = |fence: &Fence, content: &str| {
            read += usize::from(!content.trim().is_empty());
            fence.kind(content, read <= FENCES)
        };
        for line in self.lines() {
            let text = self.text(&line);
            match &mut fenced {
                Some((fence, inside)) if fence.is_closed_by(&text) => {
                    blocks.push(Block { kind: kind(fence, &self.whole(inside)), range: span(inside) });
                    blocks.push(Block { kind: Kind::Fence, range: line });
                    fenced = None;
                }
                Some((_, inside)) => inside.push(line),
                None => match Fence::open(&text) {
                    Some(fence) => {
                        blocks.extend(self.unfenced(&std::mem::take(&mut prose)));
                        blocks.push(Block { kind: Kind::Fence, range: line });
                        fenced = Some((fence, Vec::new()));
                    }
                    None => prose.push(line),
                },
            }
        }
        // A fence that nobody closed goes on to the end.
        if let Some((fence, inside)) = fenced {
            blocks.push(Block { kind: kind(&fence, &self.whole(&inside)), range: span(&inside) });
        }
        blocks.extend(self.unfenced(&prose));
        blocks
    }

    fn whole(&self, lines: &[Range<usize>]) -> String {
        self.text(&span(lines))
    }

    /// Lines outside of fences: JSON as a whole, or prose with stretches of code that parse.
    fn unfenced(&self, lines: &[Range<usize>]) -> Vec<Block> {
        let whole = self.whole(lines);
        if looks_like_json(&whole) {
            return vec![Block { kind: Kind::Json, range: span(lines) }];
        }
        let texts: Vec<String> = lines.iter().map(|line| self.text(line)).collect();
        let mut blocks = Vec::new();
        let mut first = 0;
        for code in bare_code(&texts) {
            blocks.push(Block { kind: Kind::Prose, range: span(&lines[first..code.start]) });
            blocks.push(Block { kind: Kind::Code, range: span(&lines[code.clone()]) });
            first = code.end;
        }
        blocks.push(Block { kind: Kind::Prose, range: span(&lines[first..]) });
        blocks
    }

    /// Code: all of it but the comments, and the literals that are prose.
    fn mark_code(&mut self, range: Range<usize>) {
        self.mark(range.clone(), Part::Code);
        for text in texts_in_code(&self.characters[range.clone()]) {
            let text = range.start + text.start..range.start + text.end;
            self.mark(text.clone(), Part::Prose);
            self.mark_addresses(text);
        }
    }

    /// JSON, whole or cut: strings are prose, those before a colon are keys, and the rest is code.
    fn mark_json(&mut self, range: Range<usize>) {
        self.mark(range.clone(), Part::Code);
        for string in strings(&self.characters[range.clone()], &['"']) {
            let after = self.characters[range.start + string.end..range.end].iter().find(|c| !c.is_whitespace());
            let part = if after == Some(&':') { Part::Key } else { Part::Prose };
            let string = range.start + string.start..range.start + string.end;
            self.mark(string.clone(), part);
            if part == Part::Prose {
                self.mark_addresses(string);
            }
        }
    }

    /// Prose: what is quoted, spans of code, markup, formulas and addresses stand apart in it.
    fn mark_prose(&mut self, range: Range<usize>) {
        for line in lines(&self.characters[range.clone()]) {
            let line = range.start + line.start..range.start + line.end;
            self.mark_line(line);
        }
    }

    fn mark_line(&mut self, line: Range<usize>) {
        let characters = &self.characters[line.clone()];
        if characters.iter().find(|c| !c.is_whitespace()) == Some(&'>') {
            self.mark(line, Part::Quotation);
            return;
        }
        let mut marks = Vec::new();
        marks.extend(quotations(characters).into_iter().map(|range| (range, Part::Quotation)));
        marks.extend(code_spans(characters).into_iter().map(|range| (range, Part::Code)));
        for (range, part) in marks {
            self.mark(line.start + range.start..line.start + range.end, part);
        }
        self.mark_addresses(line);
    }

    fn mark_addresses(&mut self, range: Range<usize>) {
        for word in words(&self.characters[range.clone()]) {
            let start = range.start + word.start;
            if let Some(found) = address(&self.characters[start..range.start + word.end]) {
                self.mark(start + found.start..start + found.end, Part::Address);
            }
        }
    }
}

/// Lines that are of one kind.
struct Block {
    kind: Kind,
    range: Range<usize>,
}

#[derive(Clone, Copy)]
enum Kind {
    Prose,
    Json,
    Code,
    /// The line of a fence itself.
    Fence,
}

/// The opening of a fenced block.
pub(crate) struct Fence {
    mark: char,
    length: usize,
    /// What is said of its content, in lower case.
    pub(crate) info: String,
}

impl Fence {
    /// As CommonMark has it: three or more backticks or tildes, up to three spaces before them; also deeper, in lists.
    pub(crate) fn open(line: &str) -> Option<Self> {
        let line = line.trim_start();
        let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let length = line.chars().take_while(|c| *c == mark).count();
        let info = line.get(length..)?.trim();
        (length >= 3 && !(mark == '`' && info.contains('`'))).then(|| Self { mark, length, info: info.to_lowercase() })
    }

    pub(crate) fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.chars().count() >= self.length && line.chars().all(|c| c == self.mark)
    }

    /// A fence without a language, or one for text, may hold prose.
    fn kind(&self, content: &str, is_read: bool) -> Kind {
        match self.info.split([' ', ',', '{']).next().unwrap_or_default() {
            "json" | "jsonc" | "json5" => Kind::Json,
            "" | "text" | "txt" | "plaintext" | "markdown" | "md" | "none" => {
                if looks_like_json(content) {
                    Kind::Json
                } else if is_read && !content.trim().is_empty() && python::is_code(content) {
                    Kind::Code
                } else {
                    Kind::Prose
                }
            }
            _ => Kind::Code,
        }
    }
}

/// From the first line to the last.
fn span(lines: &[Range<usize>]) -> Range<usize> {
    match (lines.first(), lines.last()) {
        (Some(first), Some(last)) => first.start..last.end,
        _ => 0..0,
    }
}

fn lines(characters: &[char]) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (at, character) in characters.iter().enumerate() {
        if *character == '\n' {
            lines.push(start..at);
            start = at + 1;
        }
    }
    lines.push(start..characters.len());
    lines
}

/// An object or a list, whole or cut off: a bracket, and after it what may follow there.
fn looks_like_json(text: &str) -> bool {
    let mut characters = text.chars().filter(|c| !c.is_whitespace());
    match (characters.next(), characters.next()) {
        (Some('{'), Some('"' | '}')) => true,
        (Some('['), Some('"' | '{' | '[' | ']')) => {
            serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() || text.contains("\":")
        }
        _ => false,
    }
}

/// Stretches of lines that are Python: they begin as a statement does, and parse.
///
/// From each such line on, as many whole paragraphs as parse together are taken, at most [`PARAGRAPHS`].
fn bare_code(lines: &[String]) -> Vec<Range<usize>> {
    const PARAGRAPHS: usize = 12;
    /// Stretches that are tried in one answer: more of them is no answer that a person reads.
    const TRIED: usize = 200;
    /// Bytes of them together.
    const BYTES: usize = 200_000;
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut tried, mut bytes) = (0, 0);
    let mut at = 0;
    while at < lines.len() {
        let statement = sql(&lines[at..]);
        if statement > 0 {
            found.push(at..at + statement);
            at += statement;
            continue;
        }
        if !python::begins_statement(&lines[at]) {
            at += 1;
            continue;
        }
        // The ends of the paragraphs from here on.
        let mut ends = Vec::new();
        for end in at + 1..=lines.len() {
            if end == lines.len() || lines[end].trim().is_empty() {
                ends.push(end);
                if ends.len() == PARAGRAPHS {
                    break;
                }
            }
        }
        // Whole paragraphs, the most first; then less than one, because prose may stand right under code.
        let first = ends.first().copied().unwrap_or(at + 1);
        let shorter = (at + 1..first).rev().take(PARAGRAPHS);
        let end = ends.iter().rev().copied().chain(shorter).find(|end| {
            let code = lines[at..*end].join("\n");
            (tried, bytes) = (tried + 1, bytes + code.len());
            tried <= TRIED && bytes <= BYTES && python::is_code(&code)
        });
        if tried > TRIED || bytes > BYTES {
            return found;
        }
        match end {
            Some(end) => {
                found.push(at..end);
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

/// How many lines from the first on are a statement of SQL: it begins with a keyword in capitals, and goes on to a semicolon or an
/// empty line.
fn sql(lines: &[String]) -> usize {
    const FIRST: [&str; 8] =
        ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE ", "ALTER ", "WITH ", "DROP "];
    /// Lines of a statement: more are no answer's.
    const LINES: usize = 100;
    const LATER: [&str; 6] = [" FROM ", " SET ", " TABLE ", " VALUES", " INDEX ", " AS ("];
    if !FIRST.iter().any(|first| lines[0].trim_start().starts_with(first)) {
        return 0;
    }
    let near = lines.iter().take(LINES);
    let end = near.clone().position(|line| line.trim().is_empty()).unwrap_or(near.len());
    let closed = lines[..end].iter().position(|line| line.trim_end().ends_with(';')).map_or(end, |at| at + 1);
    let text = lines[..closed].join(" ") + " ";
    if LATER.iter().any(|later| text.contains(later)) { closed } else { 0 }
}

/// The comments of code in any language, and the string literals of three or more words.
fn texts_in_code(code: &[char]) -> Vec<Range<usize>> {
    let mut texts = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let starts = |mark: &str| mark.chars().zip(rest).filter(|(a, b)| a == *b).count() == mark.chars().count();
        let before = at.checked_sub(1).map(|before| code[before]);
        let apart = before.is_none_or(|c| c.is_whitespace() || matches!(c, ';' | '}' | ')' | ','));
        if starts("/*") || starts("<!--") {
            let close: Vec<char> = if starts("/*") { "*/" } else { "-->" }.chars().collect();
            let end = find(code, at + 2, &close).unwrap_or(code.len());
            texts.push(at..end);
            at = end;
        } else if (starts("#") && (apart || before == Some('#')))
            || (starts("//") && before != Some(':'))
            || (starts("--") && apart && rest.get(2).is_some_and(|c| c.is_whitespace()))
        {
            let end = code[at..].iter().position(|c| *c == '\n').map_or(code.len(), |length| at + length);
            if !is_directive(&code[at..end]) {
                texts.push(at..end);
            }
            at = end;
        } else if matches!(code[at], '"' | '\'' | '`') {
            let end = string_end(code, at);
            if words(&code[at..end]).len() >= LITERAL_WORDS {
                texts.push(at..end);
            }
            at = end;
        } else {
            at += 1;
        }
    }
    texts
}

/// Comments that speak to programs: `#!/usr/bin/env python3`, `# noqa`, `# type: ignore`.
fn is_directive(comment: &[char]) -> bool {
    let text: String = comment.iter().collect();
    let body = text.trim_start_matches(['#', '/', '-', ' ']).to_lowercase();
    ["!", "noqa", "type:", "-*-", "pylint", "fmt:", "pragma", "eslint"].iter().any(|directive| {
        body.starts_with(directive) || text.trim_start_matches('#').trim_start().starts_with(directive)
    })
}

/// The string literals in one of the quotes.
fn strings(code: &[char], quotes: &[char]) -> Vec<Range<usize>> {
    let mut strings = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if quotes.contains(&code[at]) {
            let end = string_end(code, at);
            strings.push(at..end);
            at = end;
        } else {
            at += 1;
        }
    }
    strings
}

/// Where the string literal that opens at `at` ends: also a triple one; an open one ends with its line, or with the code.
fn string_end(code: &[char], at: usize) -> usize {
    let quote = code[at];
    let triple = code.get(at + 1) == Some(&quote) && code.get(at + 2) == Some(&quote);
    if triple {
        return find(code, at + 3, &[quote; 3]).unwrap_or(code.len());
    }
    let mut end = at + 1;
    while end < code.len() {
        match code[end] {
            '\\' => end += 1,
            '\n' if quote != '`' => return end,
            c if c == quote => return end + 1,
            _ => {}
        }
        end += 1;
    }
    code.len()
}

/// The end of the first `needle` from `from` on.
fn find(code: &[char], from: usize, needle: &[char]) -> Option<usize> {
    let rest = code.get(from..)?;
    rest.windows(needle.len()).position(|window| window == needle).map(|at| from + at + needle.len())
}

/// What is quoted in a line of prose, with its marks. A mark that is not closed in its line quotes nothing.
///
/// Looks no further than a quotation is long, so that a line of opening marks takes no time without end.
fn quotations(line: &[char]) -> Vec<Range<usize>> {
    const PAIRS: [(char, char); 8] =
        [('“', '”'), ('‘', '’'), ('「', '」'), ('『', '』'), ('«', '»'), ('《', '》'), ('"', '"'), ('\'', '\'')];
    let mut found = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let pair = PAIRS.iter().find(|(open, _)| *open == line[at]);
        let apart = at.checked_sub(1).is_none_or(|before| !line[before].is_alphanumeric());
        let close = pair.filter(|(open, _)| *open != '\'' || apart).and_then(|(open, close)| {
            let closes = |end: &usize| {
                // An apostrophe stands before a letter: don't.
                let follows = line.get(end + 1);
                line[*end] == *close && (*open != '\'' || follows.is_none_or(|c| !c.is_ascii_alphabetic()))
            };
            (at + 1..line.len().min(at + LONGEST)).find(closes)
        });
        match close {
            Some(close) => {
                found.push(at..close + 1);
                at = close + 1;
            }
            None => at += 1,
        }
    }
    found
}

/// Spans of code in backticks, tags of markup, and commands of formulas, in a line of prose.
fn code_spans(line: &[char]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let end = match line[at] {
            '`' => {
                let ticks = line[at..].iter().take(LONGEST).take_while(|c| **c == '`').count();
                let near = &line[..line.len().min(at + LONGEST)];
                find(near, at + ticks, &vec!['`'; ticks]).or(Some(at + ticks))
            }
            '<' if line.get(at + 1).is_some_and(|c| c.is_ascii_alphabetic() || *c == '/') => {
                line[at..].iter().take(LONGEST).position(|c| *c == '>').map(|length| at + length + 1)
            }
            '\\' => {
                let name = line[at + 1..].iter().take_while(|c| c.is_ascii_alphabetic()).count();
                (name > 0).then_some(at + 1 + name)
            }
            _ => None,
        };
        match end {
            Some(end) => {
                if line[at] != '`' || end > at + 1 {
                    found.push(at..end);
                }
                at = end.max(at + 1);
            }
            None => at += 1,
        }
    }
    found
}

/// Stretches without white space.
pub(crate) fn words(characters: &[char]) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, character) in characters.iter().enumerate() {
        match (character.is_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(first)) => {
                words.push(first..at);
                start = None;
            }
            _ => {}
        }
    }
    words.extend(start.map(|first| first..characters.len()));
    words
}

/// Where an address lies in a word: what follows it in another script is a particle.
fn address(word: &[char]) -> Option<Range<usize>> {
    let text: String = word.iter().collect::<String>().to_lowercase();
    let starts = ["http://", "https://", "www."].iter().filter_map(|start| text.find(start)).min();
    let start = match starts {
        Some(byte) => text[..byte].chars().count(),
        None => {
            let (name, host) = text.split_once('@')?;
            let mail = name.chars().last().is_some_and(|c| c.is_ascii_alphanumeric()) && host.contains('.');
            mail.then_some(0)?
        }
    };
    let inside = |c: &&char| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '`');
    let length = word.get(start..)?.iter().take_while(inside).count();
    (length > 0).then_some(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is prose of the model's own, white space closed up.
    fn prose(answer: &str) -> String {
        let parts = Parts::of(answer);
        let of = |(character, part): (&char, &Part)| if *part == Part::Prose { *character } else { ' ' };
        let text: String = parts.characters.iter().zip(&parts.parts).map(of).collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn fenced_code_keeps_its_comments_and_long_literals() {
        let answer = "고친 코드입니다.\n```python\n#!/usr/bin/env python3\nx = 1  # 값을 센다\nprint(\"done\")\nprint('세 단어로 된 글')\n```\n끝";
        assert_eq!(prose(answer), "고친 코드입니다. # 값을 센다 '세 단어로 된 글' 끝");
    }

    #[test]
    fn a_docstring_and_a_block_comment_are_prose_and_an_address_is_no_comment() {
        let answer = "```js\n/* 합을 구한다 */ const u = 'http://a.b'; // 끝\nlet v = a //b\n```";
        assert_eq!(prose(answer), "/* 합을 구한다 */ // 끝 //b");
        assert_eq!(
            prose("```python\ndef f():\n    \"\"\"두 수를 더해서 돌려준다.\"\"\"\n```"),
            "\"\"\"두 수를 더해서 돌려준다.\"\"\""
        );
    }

    #[test]
    fn an_open_fence_goes_on_to_the_end_and_text_in_a_fence_is_prose() {
        assert_eq!(prose("```python\nx = y"), "");
        assert_eq!(prose("```\n한국어로 쓴 문장이다.\n```"), "한국어로 쓴 문장이다.");
        assert_eq!(prose("```\nimport os\nprint(os.name)\n```"), "");
    }

    #[test]
    fn bare_code_that_parses_is_code_and_prose_is_not() {
        assert_eq!(
            prose("아래와 같습니다.\ndef add(a, b):\n    return a + b\n설명은 끝입니다."),
            "아래와 같습니다. 설명은 끝입니다."
        );
        assert_eq!(prose("SELECT a AS day\nFROM orders\nWHERE b > 1;\n날짜별로 셉니다."), "날짜별로 셉니다.");
        assert_eq!(
            prose("import os\n\ndef f():\n    # 이름\n    return os.name\n\n이렇게 씁니다."),
            "# 이름 이렇게 씁니다."
        );
        for sentence in ["Yes", "for example, this works", "import duties rise", "긍정", "The answer is no."] {
            assert_eq!(prose(sentence), sentence);
        }
    }

    #[test]
    fn keys_are_no_prose_and_values_are() {
        let json = "{\"sentiment\": \"혼합\", \"pros\": [\"맛\", 3]}";
        assert_eq!(prose(json), "\"혼합\" \"맛\"");
        assert_eq!(prose(&format!("```json\n{json}\n```")), "\"혼합\" \"맛\"");
        assert_eq!(prose("{\"sentiment\": \"혼합\", \"summary\": \"끊긴"), "\"혼합\" \"끊긴");
    }

    /// Each reading takes a thread of its own: 25,000 fences in 100 kB took two seconds.
    #[test]
    fn no_more_fences_are_read_than_a_person_would() {
        let answer = "```\nx = 1\n```\n".repeat(FENCES + 1);
        let parts = Parts::of(&answer);
        let found: Vec<Part> = parts
            .characters
            .iter()
            .zip(&parts.parts)
            .filter(|(character, _)| **character == 'x')
            .map(|(_, part)| *part)
            .collect();
        assert_eq!((found.len(), found[FENCES - 1], found[FENCES]), (FENCES + 1, Part::Code, Part::Prose));
    }

    #[test]
    fn quotations_addresses_and_spans_stand_apart() {
        assert_eq!(prose("후기는 \"too cold\"라고 합니다"), "후기는 라고 합니다");
        assert_eq!(prose("don't say 'it is' or ‘so’"), "don't say or");
        assert_eq!(prose("https://a.kr/b를 보세요, www.x.com 또는 a@b.kr로"), "를 보세요, 또는 로");
        assert_eq!(prose("`x = 1`과 <br>과 \\frac 값"), "과 과 값");
        assert_eq!(prose("> quoted line\n답"), "답");
        assert_eq!(prose("열린 \"따옴표"), "열린 \"따옴표");
    }
}
