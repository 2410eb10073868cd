//! Which column of a table means what: by the words and units of its heading, in English and Korean.

use serde::Serialize;

use super::error::TableError;

/// The columns that were taken, by their headings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// That of the file's bytes.
    pub encoding: &'static str,
    pub model: String,
    pub repository: Option<String>,
    pub precision: Option<String>,
    pub tokens_per_second: Option<String>,
    pub memory: Option<String>,
    pub left_out: Vec<String>,
}

/// Where the columns stand; of several that mean the same the plainest is taken.
#[derive(Debug)]
pub(super) struct Columns {
    pub model: usize,
    pub repository: Option<usize>,
    pub precision: Option<usize>,
    pub speed: Option<usize>,
    pub memory: Option<Memory>,
}

/// The column of memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub index: usize,
    /// Bytes of the heading's unit. `None` leaves the unit to each cell.
    pub unit: Option<f64>,
}

const MODEL: [&str; 6] = ["model", "모델", "candidate", "checkpoint", "name", "이름"];
const REPOSITORY: [&str; 9] =
    ["repository", "repo", "huggingface", "hugging", "hf", "허깅페이스", "hub", "경로", "path"];
const PRECISION: [&str; 8] =
    ["precision", "quantization", "quantisation", "quant", "dtype", "layout", "정밀도", "양자화"];
const TOKEN: [&str; 5] = ["tokens", "token", "tok", "t", "토큰"];
const SECOND: [&str; 6] = ["s", "sec", "second", "seconds", "초", "초당"];
const MEMORY: [&str; 4] = ["vram", "memory", "mem", "메모리"];

/// Of a model, but not its name.
const NOT_A_NAME: [&str; 10] =
    ["size", "크기", "type", "유형", "parameters", "params", "파라미터", "load", "version", "id"];
/// Of a speed that no decoder's weights bound: that of the prompt.
const OF_THE_PROMPT: [&str; 8] = ["prefill", "prompt", "input", "pp", "입력", "프롬프트", "프리필", "encode"];
/// Of memory, but not bytes in use.
const NOT_IN_USE: [&str; 9] =
    ["bandwidth", "대역폭", "percent", "share", "free", "여유", "limit", "clock", "utilization"];
/// Of a figure, but not its typical value.
const SPREAD: [&str; 16] = [
    "p90",
    "p95",
    "p99",
    "min",
    "max",
    "low",
    "high",
    "std",
    "sd",
    "stdev",
    "n",
    "최소",
    "최대",
    "표준편차",
    "estimated",
    "예상",
];

impl Columns {
    /// Finds them.
    ///
    /// # Errors
    /// No column for the model or for a figure, or memory without a unit in its heading or cells.
    pub(super) fn of(headings: &[String], has_units: impl Fn(usize) -> bool) -> Result<Self, TableError> {
        let words: Vec<Vec<String>> = headings.iter().map(|heading| words(heading)).collect();
        let find = |means: &dyn Fn(&[String]) -> bool| {
            let meant = (0..words.len()).filter(|index| means(&words[*index]));
            // The first of the plainest: `tokens/s` before `tokens/s (p99)`.
            meant.min_by_key(|index| count(&words[*index], &SPREAD))
        };
        let quoted = || headings.iter().map(|heading| format!("`{heading}`")).collect::<Vec<_>>().join(", ");
        let repository = find(&|words| has(words, &REPOSITORY) && count(words, &["url"]) == 0);
        let is_model = |words: &[String]| {
            has(words, &MODEL) && !has(words, &NOT_A_NAME) && !has(words, &REPOSITORY) && !is_rate(words)
        };
        let model = find(&is_model).or(repository).ok_or_else(|| TableError::NoModel(quoted()))?;
        let speed = find(&is_speed);
        let memory = find(&|words| has(words, &MEMORY) && !has(words, &NOT_IN_USE) && !is_speed(words));
        let memory = match memory {
            None => None,
            Some(index) => {
                let unit = words[index].iter().find_map(|word| unit(word));
                if unit.is_none() && !has_units(index) {
                    return Err(TableError::NoUnit(headings[index].clone()));
                }
                Some(Memory { index, unit })
            }
        };
        if speed.is_none() && memory.is_none() {
            return Err(TableError::NoFigures(quoted()));
        }
        let precision = find(&|words| has(words, &PRECISION));
        Ok(Self { model, repository: repository.filter(|index| *index != model), precision, speed, memory })
    }

    /// How many were found.
    pub(super) fn count(&self) -> usize {
        self.used().into_iter().flatten().count()
    }

    fn used(&self) -> [Option<usize>; 5] {
        let memory = self.memory.map(|memory| memory.index);
        [Some(self.model), self.repository, self.precision, self.speed, memory]
    }

    /// Their headings.
    pub(super) fn taken(&self, headings: &[String], encoding: &'static str) -> Taken {
        let used = self.used();
        let heading = |index: usize| headings[index].clone();
        Taken {
            encoding,
            model: heading(self.model),
            repository: self.repository.map(heading),
            precision: self.precision.map(heading),
            tokens_per_second: self.speed.map(heading),
            memory: self.memory.map(|memory| heading(memory.index)),
            left_out: (0..headings.len()).filter(|index| !used.contains(&Some(*index))).map(heading).collect(),
        }
    }
}

/// Whether a heading means output tokens a second.
fn is_speed(words: &[String]) -> bool {
    is_rate(words) && !has(words, &OF_THE_PROMPT)
}

/// Whether words name tokens a second: `tokens/s`, `tok per sec`, `tps`, `토큰/초`, `초당 생성 토큰`.
pub(super) fn is_rate(words: &[String]) -> bool {
    let is = |word: &String, names: &[&str]| names.contains(&word.as_str());
    let tokens_a_second = words.windows(2).any(|pair| is(&pair[0], &TOKEN) && is(&pair[1], &SECOND));
    let korean = words.iter().position(|word| word.starts_with("초당")).is_some_and(|first| {
        words[first..].iter().any(|word| word.trim_start_matches("초당").starts_with("토큰") || is(word, &TOKEN))
    });
    tokens_a_second || korean || words.iter().any(|word| is(word, &["tps"]))
}

/// Whether a word is one of these; a Korean one may have more after it, as in `메모리사용량`.
fn has(words: &[String], names: &[&str]) -> bool {
    count(words, names) > 0
}

fn count(words: &[String], names: &[&str]) -> usize {
    let is = |word: &String, name: &&str| word == name || (!name.is_ascii() && word.starts_with(name));
    words.iter().filter(|word| names.iter().any(|name| is(word, name))).count()
}

/// Bytes of a unit of memory. MB are 10⁶ bytes, as tools that print MB mean them; MiB are 2²⁰.
pub(super) fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "bytes" | "byte" | "b" | "바이트" => 1.0,
        "mb" | "메가바이트" => 1e6,
        "mib" => f64::from(1 << 20),
        "gb" | "기가바이트" => 1e9,
        "gib" => f64::from(1 << 30),
        _ => return None,
    })
}

/// The words of a heading or a unit in lower case, `per` left out. Letters of another script begin another word: `VRAM사용량`.
pub(super) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut words: Vec<String> = Vec::new();
    let mut last: Option<char> = None;
    for letter in lower.chars() {
        let goes_on = last.is_some_and(|last| last.is_alphanumeric() && last.is_ascii() == letter.is_ascii());
        match words.last_mut() {
            _ if !letter.is_alphanumeric() => {}
            Some(word) if goes_on => word.push(letter),
            _ => words.push(letter.into()),
        }
        last = Some(letter);
    }
    words.retain(|word| word != "per");
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(headings: &[&str]) -> Result<Taken, TableError> {
        let headings: Vec<String> = headings.iter().map(ToString::to_string).collect();
        Columns::of(&headings, |_| false).map(|columns| columns.taken(&headings, "UTF-8"))
    }

    #[test]
    fn speeds_are_known_by_their_unit() {
        let speeds = [
            "tokens/s",
            "tok/s",
            "T/s",
            "Tokens per second",
            "속도 (tokens/sec)",
            "생성속도(tok/s)",
            "토큰/초",
            "초당 토큰 수",
            "초당토큰",
            "초당 생성 토큰",
            "TPS",
            "decode tok/s",
            "token/sec",
            "tokens_per_second",
            "출력 속도(토큰/초)",
        ];
        for speed in speeds {
            assert_eq!(taken(&["모델", speed]).unwrap().tokens_per_second.as_deref(), Some(speed), "{speed}");
        }
        for other in ["토큰당 초", "ms/token", "prefill tokens/s", "프롬프트 토큰/초", "tokens", "max tokens", "속도"]
        {
            assert!(matches!(taken(&["model", other]), Err(TableError::NoFigures(_))), "{other}");
        }
    }

    #[test]
    fn memory_is_known_in_both_languages_and_never_without_its_unit() {
        for memory in
            ["VRAM 사용량 (MB)", "VRAM사용량(MB)", "메모리사용량(GB)", "GPU 메모리 [MiB]", "peak_memory_bytes"]
        {
            assert_eq!(taken(&["model", memory]).unwrap().memory.as_deref(), Some(memory), "{memory}");
        }
        assert_eq!(taken(&["model", "VRAM 사용량"]), Err(TableError::NoUnit("VRAM 사용량".into())));
        assert!(matches!(taken(&["model", "메모리 대역폭 (GB/s)"]), Err(TableError::NoFigures(_))));
    }

    #[test]
    fn a_model_is_known_by_its_name_and_its_repository() {
        let both = taken(&["모델명", "Hugging Face 경로", "tok/s"]).unwrap();
        assert_eq!((both.model.as_str(), both.repository.as_deref()), ("모델명", Some("Hugging Face 경로")));
        let sizes = taken(&["Model size (GB)", "Model", "tok/s"]).unwrap();
        assert_eq!(sizes.model, "Model");
        let alone = taken(&["repository", "tok/s"]).unwrap();
        assert_eq!((alone.model.as_str(), alone.repository), ("repository", None));
    }

    #[test]
    fn of_several_figures_the_typical_one_is_taken() {
        let several = taken(&["model", "prefill tokens/s", "tokens/s (p99)", "tokens/s"]).unwrap();
        assert_eq!(several.tokens_per_second.as_deref(), Some("tokens/s"));
        assert_eq!(several.left_out, ["prefill tokens/s", "tokens/s (p99)"]);
    }
}
