//! Whether the figures of a table agree with each other. Each was rounded, so that each is a range; figures contradict each other
//! only where no values in their ranges agree.

use serde::Serialize;

use super::effects::{Changed, Effects, State};
use super::figures::{Figure, Quantity};
use crate::units::{Change, Rate, Seconds, Share};

/// What came out of computing with some figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Computed {
    /// The line, or the state, whose figures they are.
    pub of: String,
    pub before: Option<f64>,
    pub after: Option<f64>,
    /// After ÷ before − 1; `None` of figures that are no before and after.
    pub change: Option<f64>,
    /// As the table states it.
    pub stated: Option<String>,
    pub verdict: Arithmetic,
    pub reason: String,
    #[serde(skip)]
    is_of_a_change: bool,
}

impl Computed {
    /// Whether it is of a line with a figure before and after, not of figures that belong together.
    pub fn is_of_a_change(&self) -> bool {
        self.is_of_a_change
    }
}

/// What computing says of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arithmetic {
    /// They agree.
    Agrees,
    /// They cannot all be true.
    Contradicts,
    /// They are true only if something holds that the table does not state.
    Implies,
    /// Too little of it could be read to compute anything.
    Unread,
}

/// Everything that can be computed of a table.
pub fn compute(effects: &Effects) -> Vec<Computed> {
    let changes = effects.changes.iter().map(change);
    changes.chain(effects.states.iter().flat_map(of_state)).collect()
}

fn of_state(state: &State) -> Vec<Computed> {
    let get = |quantity| state.figures.get(&quantity);
    let latency = get(Quantity::Latency);
    let generating = latency
        .zip(get(Quantity::Tokens).zip(get(Quantity::TokensPerSecond)))
        .map(|(latency, (tokens, rate))| generating(latency, tokens, rate));
    let load = latency
        .zip(get(Quantity::RequestsPerSecond))
        .map(|(latency, rate)| load(latency, rate, get(Quantity::Concurrency)));
    let cache = latency
        .zip(get(Quantity::HitLatency).zip(get(Quantity::MissLatency)))
        .map(|(mean, (hit, miss))| cache(mean, hit, miss, get(Quantity::HitRate)));
    let made = [generating, load, cache].into_iter().flatten();
    made.map(|(verdict, reason)| Computed {
        of: state.name.clone(),
        before: None,
        after: None,
        change: None,
        stated: None,
        verdict,
        reason,
        is_of_a_change: false,
    })
    .collect()
}

/// Tokens ÷ tokens a second is the least that a request takes: a first token and a queue come on top.
fn generating(latency: &Figure, tokens: &Figure, rate: &Figure) -> (Arithmetic, String) {
    let takes = format!(
        "{} tokens at {}/s take {}, and the latency is {}",
        Rate(tokens.value),
        Rate(rate.value),
        Seconds(tokens.value / rate.value),
        Seconds(latency.value)
    );
    let least = tokens.low() / rate.high();
    if latency.high() < least {
        return (Arithmetic::Contradicts, takes);
    }
    (Arithmetic::Agrees, takes)
}

/// Requests in flight are requests a second × latency (Little 1961).
fn load(latency: &Figure, rate: &Figure, stated: Option<&Figure>) -> (Arithmetic, String) {
    let in_flight = rate.value * latency.value;
    let least = rate.low() * latency.low();
    let told = format!(
        "{} requests a second of {} each are {} at once",
        Rate(rate.value),
        Seconds(latency.value),
        Rate(in_flight)
    );
    match stated {
        Some(stated) if stated.high() < least => {
            (Arithmetic::Contradicts, format!("{told}, and it states {}", Rate(stated.value)))
        }
        Some(stated) => (Arithmetic::Agrees, format!("{told}, of {} that it states", Rate(stated.value))),
        None if least > 1.0 => {
            (Arithmetic::Implies, format!("{told}; one at a time gives {} a second", Rate(1.0 / latency.value)))
        }
        None => (Arithmetic::Agrees, format!("{told}, which one at a time can give")),
    }
}

/// A mean of hits and misses says how many were hits.
fn cache(mean: &Figure, hit: &Figure, miss: &Figure, stated: Option<&Figure>) -> (Arithmetic, String) {
    let hits = |mean: f64, hit: f64, miss: f64| (miss - mean) / (miss - hit);
    let told = format!(
        "a mean of {} from hits of {} and misses of {}",
        Seconds(mean.value),
        Seconds(hit.value),
        Seconds(miss.value)
    );
    if hit.low() >= miss.high() {
        return (Arithmetic::Contradicts, format!("{told}: hits are no faster than misses"));
    }
    if mean.high() < hit.low() || mean.low() > miss.high() {
        return (Arithmetic::Contradicts, format!("{told}: no share of hits gives a mean that lies outside of them"));
    }
    let implied = hits(mean.value, hit.value, miss.value).clamp(0.0, 1.0);
    let needs = format!("{told} needs {} hits", Share(implied));
    let ends = [mean.low(), mean.high()].into_iter().flat_map(|mean| {
        [hit.low(), hit.high()].into_iter().flat_map(move |hit| {
            [miss.low(), miss.high()].map(|miss| if miss > hit { hits(mean, hit, miss) } else { f64::NAN })
        })
    });
    let known: Vec<f64> = ends.filter(|share| share.is_finite()).collect();
    let (low, high) = known.iter().fold((f64::MAX, f64::MIN), |(low, high), share| (low.min(*share), high.max(*share)));
    match stated {
        Some(stated) if stated.high() < low || stated.low() > high => {
            (Arithmetic::Contradicts, format!("{needs}, and it states {}", Share(stated.value)))
        }
        Some(stated) => (Arithmetic::Agrees, format!("{needs}, and it states {}", Share(stated.value))),
        None => (Arithmetic::Implies, needs),
    }
}

fn change(line: &Changed) -> Computed {
    let computed = |verdict, reason: String| {
        let reason = line.unread.iter().cloned().chain([reason]).filter(|text| !text.is_empty());
        Computed {
            of: line.what.clone(),
            before: line.before.as_ref().map(|figure| figure.value),
            after: line.after.as_ref().map(|figure| figure.value),
            change: line
                .before
                .as_ref()
                .zip(line.after.as_ref())
                .map(|(before, after)| after.value / before.value - 1.0),
            stated: line.stated.as_ref().map(|stated| stated.figure.text.clone()),
            verdict,
            reason: reason.collect::<Vec<_>>().join("; "),
            is_of_a_change: true,
        }
    };
    let (Some(before), Some(after)) = (&line.before, &line.after) else {
        return computed(Arithmetic::Unread, String::new());
    };
    let ratio = after.value / before.value;
    let unit = if line.unit.is_empty() { String::new() } else { format!(" {}", line.unit) };
    let told = format!("{} → {}{unit} is {}", before.text, after.text, Change(ratio - 1.0));
    let Some(stated) = &line.stated else { return computed(Arithmetic::Agrees, told) };
    // The least and the most that the change can be, given how the figures were rounded.
    let (low, high) = (after.low().max(0.0) / before.high(), after.high() / before.low().max(f64::MIN_POSITIVE));
    if stated.is_factor {
        let (low, high) = if ratio < 1.0 { (1.0 / high, 1.0 / low) } else { (low, high) };
        let factor = if ratio < 1.0 { 1.0 / ratio } else { ratio };
        let direction = if ratio < 1.0 { "less" } else { "more" };
        let agrees = overlaps(&stated.figure, low, high);
        let told = format!("{told}, {} times {direction}", Rate(factor));
        return match agrees {
            true => computed(Arithmetic::Agrees, told),
            false => computed(Arithmetic::Contradicts, format!("{told}, not {}", stated.figure.text)),
        };
    }
    let percents = |share: f64| 100.0 * (share - 1.0);
    let (low, high) = (percents(low), percents(high));
    let size = if low <= 0.0 && high >= 0.0 {
        (0.0, low.abs().max(high.abs()))
    } else {
        (low.abs().min(high.abs()), low.abs().max(high.abs()))
    };
    let is_wrong_way = stated.sign.is_some_and(|sign| sign * high < 0.0 && sign * low < 0.0);
    let in_points = line.percents
        && overlaps(&stated.figure, (after.value - before.value).abs(), (after.value - before.value).abs());
    if in_points && !is_wrong_way {
        return computed(Arithmetic::Agrees, format!("{told}, and {} points", stated.figure.text));
    }
    if overlaps(&stated.figure, size.0, size.1) && !is_wrong_way {
        return computed(Arithmetic::Agrees, told);
    }
    let told = format!("{told}, not {}", stated.figure.text);
    computed(Arithmetic::Contradicts, format!("{told}{}", mistaken(&stated.figure, ratio, is_wrong_way)))
}

fn overlaps(figure: &Figure, low: f64, high: f64) -> bool {
    // Sums of rounded halves are not exact.
    const SLACK: f64 = 1e-9;
    figure.high() >= low - SLACK && figure.low() <= high + SLACK
}

/// What the stated percentage is of, where another usual reckoning gives it.
fn mistaken(stated: &Figure, ratio: f64, is_wrong_way: bool) -> String {
    let is = |percents: f64| overlaps(stated, percents.abs(), percents.abs());
    if is_wrong_way && is(100.0 * (ratio - 1.0)) {
        return ": it went the other way".into();
    }
    if is(100.0 * (1.0 / ratio - 1.0)) {
        return ", which is the difference as a share of the figure after".into();
    }
    if is(100.0 * ratio) {
        return ", which is what is left as a share of the figure before".into();
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computed(text: &str) -> Vec<Computed> {
        compute(&Effects::read(text.as_bytes()).expect("a table"))
    }

    fn only(text: &str) -> (Arithmetic, String) {
        let computed = computed(text);
        let [one] = computed.as_slice() else { panic!("{computed:?}") };
        (one.verdict, one.reason.clone())
    }

    fn line(before: &str, after: &str, change: &str) -> (Arithmetic, String) {
        only(&format!("항목,적용 전,적용 후,개선율\nVRAM (GB),\"{before}\",\"{after}\",\"{change}\"\n"))
    }

    use Arithmetic::*;

    #[test]
    fn a_percentage_is_of_the_figure_before() {
        assert_eq!(line("80", "40", "25%"), (Contradicts, "80 → 40 is -50.0 %, not 25%".into()));
        assert_eq!(line("80", "40", "50%"), (Agrees, "80 → 40 is -50.0 %".into()));
        assert_eq!(line("80", "40", "-50%").0, Agrees);
        assert_eq!(line("80", "40", "50% 감소").0, Agrees);
        assert_eq!(line("80", "40", "50% 증가").0, Contradicts);
        assert_eq!(line("80", "40", "2배").0, Agrees);
        assert_eq!(line("80", "40", "4x").0, Contradicts);
        let of_after = line("16.0", "6.5", "146%");
        assert!(of_after.0 == Contradicts && of_after.1.ends_with("share of the figure after"), "{of_after:?}");
        assert!(line("80", "30", "37.5%").1.ends_with("share of the figure before"));
    }

    #[test]
    fn rounding_is_no_contradiction() {
        // 1.2 may be 1.25 and 0.3 may be 0.25: 79 % is 0.25 of 1.2.
        assert_eq!(line("1.2", "0.3", "79%").0, Agrees);
        assert_eq!(line("1.20", "0.30", "79%").0, Contradicts);
        assert_eq!(line("99", "99", "0%").0, Agrees);
    }

    #[test]
    fn a_change_of_a_share_may_be_told_in_points() {
        assert_eq!(line("80%", "40%", "40%p").0, Agrees);
        assert_eq!(line("80%", "40%", "50%").0, Agrees);
        assert_eq!(line("80%", "40%", "30%p").0, Contradicts);
    }

    #[test]
    fn figures_of_two_units_are_not_compared() {
        let (verdict, reason) = line("1.2 s", "300 ms", "75%");
        assert_eq!((verdict, reason.as_str()), (Unread, "`1.2 s` and `300 ms` are of different units"));
    }

    #[test]
    fn tokens_take_their_time() {
        let text = "모델,생성 토큰 수,tokens/s,응답 시간 (초)\nMistral-7B,500,19.03,1.7\n";
        let (verdict, reason) = only(text);
        assert_eq!(verdict, Contradicts);
        assert_eq!(reason, "500 tokens at 19.0/s take 26.3 s, and the latency is 1.70 s");
        assert_eq!(only(&text.replace(",1.7", ",27")).0, Agrees);
    }

    #[test]
    fn requests_a_second_and_latency_give_the_requests_at_once() {
        assert_eq!(only("name,RPS,latency (ms)\na,100,300\n").0, Implies);
        assert_eq!(only("name,RPS,latency (ms)\na,3,300\n").0, Agrees);
        assert_eq!(only("name,RPS,latency (ms),concurrency\na,100,300,8\n").0, Contradicts);
        assert_eq!(only("name,RPS,latency (ms),concurrency\na,100,300,32\n").0, Agrees);
    }

    #[test]
    fn a_mean_tells_the_hits_of_a_cache() {
        let table = |mean: &str, rate: &str| {
            format!(
                "metric,before,after\ncache hit latency (s),-,0.05\ncache miss latency (s),-,1.2\nlatency (s),1.2,{mean}\n{rate}"
            )
        };
        let after = |text: &str| {
            let all = computed(text);
            all.into_iter().find(|one| one.of == "after").map(|one| (one.verdict, one.reason)).expect("a state")
        };
        let (verdict, reason) = after(&table("0.3", ""));
        assert_eq!(verdict, Implies);
        assert_eq!(reason, "a mean of 300 ms from hits of 50.0 ms and misses of 1.20 s needs 78.3 % hits");
        assert_eq!(after(&table("0.3", "cache hit rate,-,40%\n")).0, Contradicts);
        assert_eq!(after(&table("0.3", "cache hit rate,-,78%\n")).0, Agrees);
        assert_eq!(after(&table("0.01", "")).0, Contradicts);
    }

    #[test]
    fn odd_tables_are_no_panic() {
        for text in [
            "",
            "a",
            "before,after\n",
            "before,after\n,\n",
            "x,before,after\na,0,0\nb,1e300,1e-300\nc,1,\n",
            "전,후\n\u{202e}1,2\n",
        ] {
            if let Ok(effects) = Effects::read(text.as_bytes()) {
                compute(&effects);
            }
        }
    }
}
