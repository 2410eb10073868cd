//! How far one model's predictions are from another's: what quantization costs.

use serde::Serialize;

use crate::quantile::quantile;

/// Two predictions of the same next token, compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// Kullback–Leibler divergence of the second prediction from the first, in nats.
    pub kl_nats: f64,
    /// Both find the same token most likely.
    pub same_top: bool,
}

impl Agreement {
    /// Of the log-probabilities of all tokens under the reference and under the other: `Σ p ln(p ÷ q)`.
    pub fn of(reference: &[f32], other: &[f32]) -> Self {
        let kl = |(p, q): (&f32, &f32)| {
            let (p, q) = (f64::from(*p), f64::from(*q));
            // A token that the reference rules out costs nothing.
            if p == f64::NEG_INFINITY { 0.0 } else { p.exp() * (p - q) }
        };
        let top = |row: &[f32]| row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(id, _)| id);
        Self {
            // Rounding can bring equal predictions to just under zero, which no divergence is.
            kl_nats: reference.iter().zip(other).map(kl).sum::<f64>().max(0.0),
            same_top: top(reference) == top(other),
        }
    }
}

/// Many positions' agreements in figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Divergence {
    /// Predictions that were compared.
    pub positions: usize,
    /// Mean of the positions' divergences.
    pub mean_kl_nats: f64,
    /// 99.9th percentile (type 7) of the positions' divergences.
    pub p999_kl_nats: f64,
    /// Share of positions at which both find the same token most likely, 0 to 1.
    pub same_top_share: f64,
}

impl Divergence {
    /// `None` of no positions.
    pub fn of(agreements: &[Agreement]) -> Option<Self> {
        let mut divergences: Vec<f64> = agreements.iter().map(|agreement| agreement.kl_nats).collect();
        divergences.sort_by(f64::total_cmp);
        let positions = divergences.len();
        let same = agreements.iter().filter(|agreement| agreement.same_top).count();
        Some(Self {
            positions,
            mean_kl_nats: divergences.iter().sum::<f64>() / positions as f64,
            p999_kl_nats: quantile(&divergences, 0.999)?,
            same_top_share: same as f64 / positions as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(probabilities: &[f32]) -> Vec<f32> {
        probabilities.iter().map(|p| p.ln()).collect()
    }

    #[test]
    fn equal_predictions_diverge_by_nothing() {
        let row = logs(&[0.7, 0.2, 0.1]);
        assert_eq!(Agreement::of(&row, &row), Agreement { kl_nats: 0.0, same_top: true });
    }

    #[test]
    fn divergence_is_the_sum_by_hand() {
        // 0.5 ln(0.5 ÷ 0.25) + 0.5 ln(0.5 ÷ 0.75)
        let agreement = Agreement::of(&logs(&[0.5, 0.5]), &logs(&[0.25, 0.75]));
        assert!((agreement.kl_nats - (0.5 * 2f64.ln() + 0.5 * (2.0f64 / 3.0).ln())).abs() < 1e-7);
        let sure = Agreement::of(&logs(&[0.0, 1.0]), &logs(&[0.25, 0.75]));
        assert!((sure.kl_nats - (4.0f64 / 3.0).ln()).abs() < 1e-7 && sure.same_top);
    }

    #[test]
    fn figures_of_no_positions_are_unknown() {
        assert_eq!(Divergence::of(&[]), None);
        let agreements = [Agreement { kl_nats: 1.0, same_top: true }, Agreement { kl_nats: 3.0, same_top: false }];
        let divergence = Divergence::of(&agreements).unwrap();
        assert_eq!((divergence.mean_kl_nats, divergence.same_top_share), (2.0, 0.5));
    }
}
