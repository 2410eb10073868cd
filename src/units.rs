//! Quantities that print themselves, with three significant digits and the unit that suits their size.
//!
//! All honour width and alignment (`{:>9}`). [`Known`] prints a dash for what is not known.

use std::fmt;

/// What is printed for an unknown value.
pub const UNKNOWN: &str = "—";

/// A value that may be unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known<T>(pub Option<T>);

impl<T: fmt::Display> fmt::Display for Known<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.pad(UNKNOWN),
        }
    }
}

/// Bytes, in binary multiples: 1 GiB is 2^30 bytes, as in the requirements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KIB: f64 = 1024.0;
        let bytes = self.0 as f64;
        // The limit is where three digits would round up to 1,024 of the smaller unit.
        let (amount, unit) = match bytes {
            _ if bytes >= 1023.5 * KIB * KIB => (bytes / KIB.powi(3), "GiB"),
            _ if bytes >= 1023.5 * KIB => (bytes / KIB.powi(2), "MiB"),
            _ if bytes >= 1024.0 => (bytes / KIB, "KiB"),
            _ => (bytes, "B"),
        };
        f.pad(&format!("{} {unit}", three_digits(amount)))
    }
}

/// A duration: `310 µs`, `41.2 ms`, `1.24 s`, `3 min 20 s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(pub f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        let text = match seconds.abs() {
            size if size >= 119.5 => {
                let whole = seconds.round() as i64;
                format!("{} min {:02} s", grouped(whole / 60), (whole % 60).abs())
            }
            size if size >= 0.9995 || size == 0.0 => format!("{} s", three_digits(seconds)),
            size if size >= 0.000_999_5 => format!("{} ms", three_digits(seconds * 1e3)),
            _ => format!("{} µs", three_digits(seconds * 1e6)),
        };
        f.pad(&text)
    }
}

/// A bare number of something per something; the unit stands elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate(pub f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&three_digits(self.0))
    }
}

/// A share, as a percentage to the nearest tenth; but only the whole prints as 100 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

impl Share {
    /// Reads `5%` or `0.05`; `None` of anything else. Whether the share makes sense is for who asked.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(percents) => Some(Self(percents.trim().parse::<f64>().ok()? / 100.0)),
            None => text.parse().ok().map(Self),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = match (self.0 * 1000.0).round() {
            1000.0 if self.0 < 1.0 => 999.0,
            1000.0 if self.0 > 1.0 => 1001.0,
            tenths => tenths,
        };
        let text = if tenths % 10.0 == 0.0 { format!("{:.0}", tenths / 10.0) } else { format!("{:.1}", tenths / 10.0) };
        f.pad(&format!("{text} %"))
    }
}

/// A share that something is more or less by, as a percentage with its sign, to the nearest tenth: `+10.4 %`; `0 %` has none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change(pub f64);

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percents = (self.0 * 1000.0).round() / 10.0;
        f.pad(&if percents == 0.0 { "0 %".to_owned() } else { format!("{percents:+.1} %") })
    }
}

/// A number of things, with commas between thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&grouped(i64::try_from(self.0).unwrap_or(i64::MAX)))
    }
}

/// South Korean won, whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Won(pub f64);

impl fmt::Display for Won {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} KRW", grouped(self.0.round() as i64)))
    }
}

/// A number of things with their noun: `1 thread`, `2 threads`.
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", Count(number as u64))
}

/// Three significant digits without an exponent; whole numbers from 100 on, in groups of three.
fn three_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = |value: f64| value.abs().log10().floor() as i32;
    let decimals = |value: f64| usize::try_from(2 - magnitude(value)).unwrap_or(0);
    // Rounding may carry into another digit (9.996 is 10.0), so the digits are counted after it.
    let scale = 10f64.powi(2 - magnitude(value));
    let rounded = if magnitude(value) >= 2 { value.round() } else { (value * scale).round() / scale };
    match decimals(rounded) {
        0 => grouped(rounded as i64),
        decimals => format!("{rounded:.decimals$}"),
    }
}

fn grouped(whole: i64) -> String {
    let digits = whole.unsigned_abs().to_string();
    let mut text = String::from(if whole < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<T: fmt::Display>(values: &[T]) -> Vec<String> {
        values.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn numbers_have_three_digits_and_carry() {
        let rates = [0.0, 0.0512, 0.9996, 1.0, 9.996, 18.638, 99.96, 100.4, 1234.4].map(Rate);
        assert_eq!(shown(&rates), ["0", "0.0512", "1.00", "1.00", "10.0", "18.6", "100", "100", "1,234"]);
    }

    #[test]
    fn durations_choose_their_unit() {
        let durations = [0.000_31, 0.041_23, 0.9994, 0.9996, 1.239, 59.94, 119.4, 200.0, 3723.0].map(Seconds);
        assert_eq!(
            shown(&durations),
            ["310 µs", "41.2 ms", "999 ms", "1.00 s", "1.24 s", "59.9 s", "119 s", "3 min 20 s", "62 min 03 s"]
        );
    }

    #[test]
    fn bytes_are_binary() {
        let sizes = [512, 2048, 300 << 20, (1 << 30) - 1, 23_034 << 20].map(Bytes);
        assert_eq!(shown(&sizes), ["512 B", "2.00 KiB", "300 MiB", "1.00 GiB", "22.5 GiB"]);
    }

    #[test]
    fn only_the_whole_is_a_hundred_percent() {
        assert_eq!(
            shown(&[1.0, 0.9996, 1.0004, 0.95, 0.29, 0.0619, 23.0 / 24.0, 1.2, 0.0].map(Share)),
            ["100 %", "99.9 %", "100.1 %", "95 %", "29 %", "6.2 %", "95.8 %", "120 %", "0 %"]
        );
    }

    #[test]
    fn a_change_has_a_sign_unless_there_is_none() {
        assert_eq!(
            shown(&[0.104, -0.05, 1.5, 0.0004, -0.0004].map(Change)),
            ["+10.4 %", "-5.0 %", "+150.0 %", "0 %", "0 %"]
        );
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(shown(&[0, 16, 999, 32_768, u64::MAX].map(Count))[..4], ["0", "16", "999", "32,768"]);
    }

    #[test]
    fn one_thing_is_no_plural() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "thread")), ["0 threads", "1 thread", "2 threads"]);
    }

    #[test]
    fn won_are_whole_and_grouped() {
        assert_eq!(shown(&[150_000.4, 999.0].map(Won)), ["150,000 KRW", "999 KRW"]);
    }

    #[test]
    fn the_unknown_is_a_dash_and_aligns() {
        assert_eq!(format!("[{:>6}]", Known::<Rate>(None)), "[     —]");
        assert_eq!(format!("[{:>6}]", Known(Some(Rate(2.5)))), "[  2.50]");
    }
}
