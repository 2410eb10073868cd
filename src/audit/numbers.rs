//! The numbers of a column. `1,234` is 1234 to some and 1.234 to others; a column is read in the one notation that fits all of its
//! cells, or not at all.

/// Which sign stands before the decimals; the other may stand between thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    Point,
    Comma,
}

use Notation::{Comma, Point};

/// What the cells of a column allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// They are the same numbers in either notation, or are none.
    Either,
    Only(Notation),
    /// Each can be read in either notation, as different numbers.
    Ambiguous,
    /// No notation fits all.
    Neither,
}

/// What the cells allow, those that are no number in any notation left out.
pub(super) fn fit<'a>(cells: impl Iterator<Item = &'a str>) -> Fit {
    let both = cells.map(|cell| (number(cell, Point), number(cell, Comma)));
    let numbers: Vec<_> = both.filter(|(point, comma)| point.is_some() || comma.is_some()).collect();
    let point = numbers.iter().all(|(point, _)| point.is_some());
    let comma = numbers.iter().all(|(_, comma)| comma.is_some());
    match (point, comma) {
        (true, true) if numbers.iter().all(|(point, comma)| point == comma) => Fit::Either,
        (true, true) => Fit::Ambiguous,
        (true, false) => Fit::Only(Point),
        (false, true) => Fit::Only(Comma),
        (false, false) => Fit::Neither,
    }
}

/// The notation of a column of this fit in a table whose columns have those; `None` where that cannot be known.
pub(super) fn notation<'a>(own: Fit, cells: impl Iterator<Item = &'a str>, others: &[Fit]) -> Option<Notation> {
    match own {
        Fit::Only(notation) => Some(notation),
        Fit::Either => Some(Point),
        Fit::Neither => None,
        // One program wrote the table: what another column shows holds here too. Else a point alone is what programs write
        // before decimals, and a comma alone stays open.
        Fit::Ambiguous => match (others.contains(&Fit::Only(Point)), others.contains(&Fit::Only(Comma))) {
            (true, false) => Some(Point),
            (false, true) => Some(Comma),
            _ => (!cells.into_iter().any(|cell| cell.contains(','))).then_some(Point),
        },
    }
}

/// A positive number in a notation; `None` for anything else, also for thousands that are not in threes.
pub(super) fn number(cell: &str, notation: Notation) -> Option<f64> {
    let (decimal, between) = match notation {
        Point => ('.', ','),
        Comma => (',', '.'),
    };
    let (whole, decimals) = cell.split_once(decimal).map_or((cell, None), |(whole, decimals)| (whole, Some(decimals)));
    let separates =
        |letter: char| letter == between || matches!(letter, ' ' | '\'' | '’' | '_') || is_wide_space(letter);
    let groups: Vec<&str> = whole.split(separates).collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let in_threes = match groups.as_slice() {
        [_] => true,
        [first, others @ ..] => {
            first.len() <= 3 && !first.starts_with('0') && others.iter().all(|group| group.len() == 3)
        }
        [] => false,
    };
    // As programs write small and large numbers: `1.5e-3`.
    let (decimals, exponent) = match decimals.and_then(|decimals| decimals.split_once(['e', 'E'])) {
        Some((decimals, exponent)) => (Some(decimals), exponent.parse::<i8>().ok()?),
        None => (decimals, 0),
    };
    let fits = in_threes && groups.iter().all(|group| digits(group)) && decimals.is_none_or(digits);
    if !fits {
        return None;
    }
    let number: f64 = format!("{}.{}e{exponent}", groups.concat(), decimals.unwrap_or("0")).parse().ok()?;
    (number.is_finite() && number > 0.0).then_some(number)
}

/// The spaces that do not break a line, which some languages write between thousands.
fn is_wide_space(letter: char) -> bool {
    matches!(letter, '\u{a0}' | '\u{2009}' | '\u{202f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cells: &[&str]) -> (Fit, Option<Notation>) {
        let own = fit(cells.iter().copied());
        (own, notation(own, cells.iter().copied(), &[own]))
    }

    #[test]
    fn one_cell_decides_how_its_column_is_read() {
        assert_eq!(of(&["19,03", "1,019"]), (Fit::Only(Comma), Some(Comma)));
        assert_eq!(of(&["1,019.5", "2,000"]), (Fit::Only(Point), Some(Point)));
        assert_eq!(of(&["4.496,57"]), (Fit::Only(Comma), Some(Comma)));
        assert_eq!(of(&["18.638", "19.03"]), (Fit::Only(Point), Some(Point)));
        assert_eq!(of(&["19", "OOM"]), (Fit::Either, Some(Point)));
    }

    #[test]
    fn what_no_cell_decides_is_left_open() {
        assert_eq!(of(&["1,019", "2,040"]), (Fit::Ambiguous, None));
        assert_eq!(of(&["18.638"]), (Fit::Ambiguous, Some(Point)));
        assert_eq!(of(&["19,03", "19.03"]), (Fit::Neither, None));
        let own = fit(["1,019"].into_iter());
        assert_eq!(notation(own, ["1,019"].into_iter(), &[own, Fit::Only(Comma)]), Some(Comma));
        assert_eq!(notation(own, ["1,019"].into_iter(), &[own, Fit::Only(Point)]), Some(Point));
    }

    #[test]
    fn each_notation_reads_its_own() {
        assert_eq!((number("19,03", Comma), number("19,03", Point)), (Some(19.03), None));
        assert_eq!((number("4.496,57", Comma), number("4,496.57", Point)), (Some(4496.57), Some(4496.57)));
        assert_eq!(number("4\u{a0}496,57", Comma), Some(4496.57));
        assert_eq!(number("12'345.5", Point), Some(12345.5));
        assert_eq!(number("1.5e2", Point), Some(150.0));
        // A thousand does not begin with a zero.
        assert_eq!((number("0,123", Comma), number("0,123", Point)), (Some(0.123), None));
    }

    #[test]
    fn what_is_no_positive_number_is_none() {
        for cell in ["", "-3", "0", "nan", "inf", "OOM", "1,23,456", "1.2.3", "~19", "19.", ".5", "1e999"] {
            assert_eq!((number(cell, Point), number(cell, Comma)), (None, None), "{cell}");
        }
    }
}
