//! The figures of a table: what each of them is, by the words around it, and how exactly it is written.

use super::columns::{is_rate, words};
use super::numbers::{Notation, number};

/// What a figure is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quantity {
    /// Seconds of a whole request, on average or in the middle.
    Latency,
    /// The same of requests that a cache answers, and of those that it does not.
    HitLatency,
    MissLatency,
    /// Share of requests that a cache answers.
    HitRate,
    /// Output tokens of a request.
    Tokens,
    /// Output tokens a second.
    TokensPerSecond,
    RequestsPerSecond,
    /// Requests at once.
    Concurrency,
}

/// A number as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// In the unit that its quantity is computed in, or as written where it is of no known quantity.
    pub value: f64,
    /// Half of its last digit: it was rounded, and may have been so much less or more.
    pub rounding: f64,
    /// As written.
    pub text: String,
}

impl Figure {
    pub(super) fn low(&self) -> f64 {
        self.value - self.rounding
    }

    pub(super) fn high(&self) -> f64 {
        self.value + self.rounding
    }
}

const LATENCY: [&str; 9] = ["latency", "지연", "응답시간", "소요", "레이턴시", "duration", "elapsed", "time", "시간"];
/// Of a latency if a unit of time is told with it.
const RESPONSE: [&str; 2] = ["응답", "response"];
/// Of a latency, but not that of a whole request.
const NOT_WHOLE: [&str; 14] = [
    "ttft", "first", "첫", "tpot", "itl", "prefill", "load", "로드", "로딩", "token", "tokens", "토큰", "학습",
    "training",
];
const HIT: [&str; 4] = ["hit", "hits", "히트", "적중"];
const MISS: [&str; 4] = ["miss", "misses", "미스", "실패"];
const RATE: [&str; 5] = ["rate", "ratio", "share", "비율", "percent"];
const TOKENS: [&str; 3] = ["tokens", "token", "토큰"];
const INPUT: [&str; 8] = ["prompt", "input", "입력", "프롬프트", "context", "컨텍스트", "max", "최대"];
const REQUESTS: [&str; 7] = ["req", "reqs", "request", "requests", "rps", "qps", "요청"];
const AT_ONCE: [&str; 6] = ["concurrency", "concurrent", "동시", "동시성", "parallel", "batch"];
/// Of a figure, but not its typical value.
const TAIL: [&str; 10] = ["p90", "p95", "p99", "min", "max", "최소", "최대", "std", "표준편차", "worst"];

/// What these words, of a heading, a metric's name and a unit, name; `None` of anything else.
pub(super) fn quantity(words: &[String]) -> Option<Quantity> {
    let has = |names: &[&str]| {
        words.iter().any(|word| names.iter().any(|name| word == name || (!name.is_ascii() && word.starts_with(name))))
    };
    // A Korean rate is one word with what it is of: 적중률, 히트율.
    let is_share = has(&RATE)
        || words.iter().any(|word| (word.ends_with('률') || word.ends_with('율')) && !word.starts_with("효율"));
    let is_second = words.iter().any(|word| seconds(word).is_some());
    if has(&TAIL) {
        return None;
    }
    if is_rate(words) {
        return (!has(&INPUT)).then_some(Quantity::TokensPerSecond);
    }
    let is_latency = has(&LATENCY) || (has(&RESPONSE) && is_second);
    let a_second = has(&["s", "sec", "second", "seconds", "초"]) || words.iter().any(|word| word.starts_with("초당"));
    if has(&["rps", "qps"]) || (has(&REQUESTS) && a_second && !is_latency) {
        return Some(Quantity::RequestsPerSecond);
    }
    match (has(&HIT), has(&MISS)) {
        (true, false) if is_share => return Some(Quantity::HitRate),
        (true, false) if is_latency || is_second => return Some(Quantity::HitLatency),
        (false, true) if (is_latency || is_second) && !is_share => return Some(Quantity::MissLatency),
        (false, false) => {}
        _ => return None,
    }
    if has(&AT_ONCE) {
        return Some(Quantity::Concurrency);
    }
    if has(&TOKENS) && !is_second && !has(&INPUT) && !is_latency {
        return Some(Quantity::Tokens);
    }
    (is_latency && !has(&NOT_WHOLE) && !is_share).then_some(Quantity::Latency)
}

/// Seconds of a unit of time.
fn seconds(word: &str) -> Option<f64> {
    Some(match word {
        "s" | "sec" | "secs" | "second" | "seconds" | "초" => 1.0,
        "ms" | "msec" | "millisecond" | "milliseconds" | "밀리초" => 1e-3,
        "min" | "minute" | "minutes" | "분" => 60.0,
        _ => None?,
    })
}

/// What a written number of a quantity is times to be in the unit of that: seconds, a share. `None` where the unit is not told.
pub(super) fn scale(quantity: Quantity, words: &[String], percent: bool) -> Option<f64> {
    match quantity {
        Quantity::Latency | Quantity::HitLatency | Quantity::MissLatency => words.iter().find_map(|word| seconds(word)),
        Quantity::HitRate => Some(if percent { 0.01 } else { 1.0 }),
        Quantity::Tokens | Quantity::TokensPerSecond | Quantity::RequestsPerSecond | Quantity::Concurrency => Some(1.0),
    }
}

/// Reads a cell: its number, the words of its unit, and whether that is per cent. The sign, or an arrow for it, is left to
/// [`sign`]. `None` of what is no number.
pub(super) fn read(cell: &str, notation: Notation) -> Option<(Figure, Vec<String>, bool)> {
    let bare = cell.trim_start_matches(is_sign).trim_start();
    let end = bare.rfind(|letter: char| letter.is_ascii_digit())? + 1;
    let (digits, rest) = bare.split_at(end);
    let value = number(digits, notation)?;
    let decimals = match notation {
        Notation::Point => digits.split_once('.'),
        Notation::Comma => digits.split_once(','),
    };
    let decimals = decimals.map_or(0, |(_, decimals)| decimals.bytes().take_while(u8::is_ascii_digit).count());
    let rounding = 0.5 * 10_f64.powi(-i32::try_from(decimals).ok()?);
    Some((Figure { value, rounding, text: cell.to_owned() }, words(rest), rest.contains('%')))
}

fn is_sign(letter: char) -> bool {
    matches!(letter, '+' | '-' | '−' | '▼' | '▲' | '↓' | '↑' | '△' | '▽' | '약' | '~' | '≈')
}

/// Whether a cell says that something fell (−1) or rose (+1), by its sign or by a word: 감소, 증가.
pub(super) fn sign(cell: &str) -> Option<f64> {
    let falls = cell.starts_with(['-', '−', '▼', '↓', '▽'])
        || ["감소", "절감", "단축", "reduc"].iter().any(|word| cell.contains(word));
    let rises =
        cell.starts_with(['▲', '↑', '△']) || ["증가", "상승", "increase"].iter().any(|word| cell.contains(word));
    match (falls, rises) {
        (true, false) => Some(-1.0),
        (false, true) => Some(1.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Quantity> {
        quantity(&words(text))
    }

    #[test]
    fn a_quantity_is_known_by_its_words_in_both_languages() {
        use Quantity::*;
        let known = [
            ("평균 응답 시간 (초)", Latency),
            ("latency (ms)", Latency),
            ("지연시간(ms)", Latency),
            ("초당 요청 수", RequestsPerSecond),
            ("처리량 (req/s)", RequestsPerSecond),
            ("RPS", RequestsPerSecond),
            ("tokens/s", TokensPerSecond),
            ("생성 토큰 수", Tokens),
            ("output tokens", Tokens),
            ("캐시 히트 지연 (s)", HitLatency),
            ("cache miss latency (s)", MissLatency),
            ("캐시 적중률", HitRate),
            ("cache hit rate", HitRate),
            ("동시 요청", Concurrency),
        ];
        for (text, quantity) in known {
            assert_eq!(of(text), Some(quantity), "{text}");
        }
        for text in ["TTFT (s)", "첫 토큰 시간", "latency p99 (s)", "VRAM (GB)", "입력 토큰", "정확도", "미적중"]
        {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_figure_knows_its_last_digit_and_its_unit() {
        let (figure, unit, percent) = read("1.70 s", Notation::Point).unwrap();
        assert_eq!((figure.value, figure.rounding, unit, percent), (1.7, 0.005, vec!["s".to_owned()], false));
        let (figure, _, percent) = read("▼25%", Notation::Point).unwrap();
        assert_eq!((figure.value, figure.rounding, percent), (25.0, 0.5, true));
        assert!(read("OOM", Notation::Point).is_none());
        assert_eq!(
            (sign("-50%"), sign("50% 감소"), sign("▲ 3"), sign("50%")),
            (Some(-1.0), Some(-1.0), Some(1.0), None)
        );
    }
}
