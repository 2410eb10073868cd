//! The kernels of a prompt one by one, against the same in float64.

use bench::gpu::Launch;
use bench::gpu::params::{Activate, Append, Norm, Prompt, Turn};
use half::f16;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::kernels::{erf, place, random, run};

/// Numbers in 16 or 32 bits, as a kernel finds or leaves them.
enum Numbers {
    F32(Vec<f32>),
    F16(Vec<f16>),
}

impl Numbers {
    fn place(&self) -> u64 {
        match self {
            Self::F32(numbers) => place(numbers),
            Self::F16(numbers) => place(numbers),
        }
    }

    fn at(&self, at: usize) -> f64 {
        match self {
            Self::F32(numbers) => f64::from(numbers[at]),
            Self::F16(numbers) => numbers[at].to_f64(),
        }
    }
}

/// The most of a number that rounding it to float16 takes away.
const ROUNDING: f64 = 1.0 / 2048.0;

/// A prompt's rows behind others, as its kernels and as float64 have them.
#[derive(Clone, Copy)]
struct Case {
    heads: usize,
    kv_heads: usize,
    dim: usize,
    rows: usize,
    position: usize,
    window: usize,
    softcap: f32,
    /// How large scores are about.
    spread: f32,
    half: bool,
    /// Numbers of a head that are turned.
    turned: usize,
    interleaved: bool,
    /// 0 for none, 1 RMS, 2 with the mean taken off.
    norm: u32,
}

const PLAIN: Case = Case {
    heads: 4,
    kv_heads: 2,
    dim: 64,
    rows: 70,
    position: 0,
    window: 0,
    softcap: 0.0,
    spread: 3.0,
    half: false,
    turned: 0,
    interleaved: false,
    norm: 0,
};

impl Case {
    fn capacity(&self) -> usize {
        self.position + self.rows + 3
    }

    fn padded(&self) -> usize {
        self.dim.next_multiple_of(16)
    }

    /// Random numbers as the caches hold them, and none beyond the prompt's end.
    fn cached(&self, rng: &mut StdRng) -> Numbers {
        let mut numbers = random(rng, self.kv_heads * self.capacity() * self.dim);
        for head in numbers.chunks_exact_mut(self.capacity() * self.dim) {
            head[(self.position + self.rows) * self.dim..].fill(f32::NAN);
        }
        if self.half { Numbers::F16(numbers.into_iter().map(f16::from_f32).collect()) } else { Numbers::F32(numbers) }
    }

    /// What queries and keys are to be once they are attended with.
    fn prepared(
        &self,
        head: &[f32],
        position: usize,
        [scale, bias]: &[Vec<f32>; 2],
        turn: Option<&[Vec<f32>; 2]>,
    ) -> Vec<f64> {
        let mut head: Vec<f64> = head.iter().map(|x| f64::from(*x)).collect();
        if self.norm > 0 {
            let mean = if self.norm == 2 { head.iter().sum::<f64>() / self.dim as f64 } else { 0.0 };
            let variance = head.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / self.dim as f64;
            for (at, x) in head.iter_mut().enumerate() {
                *x = (*x - mean) / (variance + 1e-5).sqrt() * f64::from(scale[at]) + f64::from(bias[at]);
            }
        }
        if let Some([cos, sin]) = turn {
            let pairs = self.turned / 2;
            for pair in 0..pairs {
                let [a, b] = if self.interleaved { [2 * pair, 2 * pair + 1] } else { [pair, pair + pairs] };
                let [cos, sin] = [cos, sin].map(|table| f64::from(table[position * pairs + pair]));
                (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[a] * sin + head[b] * cos);
            }
        }
        head
    }

    fn check(&self, rng: &mut StdRng) {
        let Self { heads, kv_heads, dim, rows, position, half, .. } = *self;
        let (capacity, padded) = (self.capacity(), self.padded());
        let mut new = [heads, kv_heads, kv_heads].map(|count| random(rng, rows * count * dim));
        new[0].iter_mut().for_each(|x| *x *= self.spread);
        let norms = [0; 2].map(|_| [0; 2].map(|_| random(rng, dim)));
        let angles = [0; 2].map(|_| random(rng, capacity * self.turned / 2));
        let past = [self.cached(rng), self.cached(rng)];
        let before: Vec<Vec<f64>> =
            past.iter().map(|past| (0..kv_heads * capacity * dim).map(|at| past.at(at)).collect()).collect();
        let count = heads * rows * padded;
        let queries = Numbers::F16(vec![f16::NAN; count]);
        let norm = |[scale, bias]: &[Vec<f32>; 2]| match self.norm {
            0 => Norm::default(),
            kind => Norm { scale: place(scale), bias: place(bias), epsilon: 1e-5, layer: kind - 1 },
        };
        let turn = Turn {
            cos: place(&angles[0]),
            sin: place(&angles[1]),
            dims: self.turned as u32,
            interleaved: u32::from(self.interleaved),
        };
        run(&[Launch::new(Append {
            queries: place(&new[0]),
            keys: place(&new[1]),
            values: place(&new[2]),
            query_norm: norm(&norms[0]),
            key_norm: norm(&norms[1]),
            turn: if self.turned > 0 { turn } else { Turn::default() },
            turned: queries.place(),
            key_cache: past[0].place(),
            value_cache: past[1].place(),
            rows: rows as u32,
            heads: heads as u32,
            kv_heads: kv_heads as u32,
            dim: dim as u32,
            capacity: capacity as u32,
            position: position as u32,
            half: u32::from(half),
            unused: 0,
        })]);
        let turn = (self.turned > 0).then_some(&angles);
        // Beside the last rounding that of the sums in float32 before it.
        let near = |found: f64, exact: f64, rounding: f64| (found - exact).abs() <= rounding * exact.abs() + 4e-6;
        for (head, row) in (0..heads).flat_map(|head| (0..rows).map(move |row| (head, row))) {
            let exact = self.prepared(&new[0][(row * heads + head) * dim..][..dim], position + row, &norms[0], turn);
            for i in 0..padded {
                let found = queries.at((head * rows + row) * padded + i);
                let exact = exact.get(i).copied().unwrap_or(0.0);
                assert!(near(found, exact, ROUNDING), "query {head}, row {row}: {found} for {exact}");
            }
        }
        let stored = if half { ROUNDING } else { 0.0 };
        for (head, at) in (0..kv_heads).flat_map(|head| (0..capacity).map(move |at| (head, at))) {
            let first = (head * capacity + at) * dim;
            let exact: [Vec<f64>; 2] = if (position..position + rows).contains(&at) {
                let own = |new: &Vec<f32>| new[((at - position) * kv_heads + head) * dim..][..dim].to_vec();
                [
                    self.prepared(&own(&new[1]), at, &norms[1], turn),
                    own(&new[2]).iter().map(|x| f64::from(*x)).collect(),
                ]
            } else {
                [0, 1].map(|which| before[which][first..first + dim].to_vec())
            };
            for (cache, exact) in past.iter().zip(exact) {
                for (i, exact) in exact.into_iter().enumerate() {
                    let found = cache.at(first + i);
                    let kept = found.is_nan() && exact.is_nan();
                    assert!(kept || near(found, exact, stored), "cached {found} for {exact} at {at}");
                }
            }
        }

        let mut out = vec![f32::NAN; rows * heads * dim + 1];
        let into = out.as_mut_ptr().addr() as u64;
        self.launch(&queries, &past, into);
        assert!(out[rows * heads * dim].is_nan(), "written beyond the end");
        let operand = |x: f64| f16::from_f64(x).to_f64();
        for (head, row) in (0..heads).flat_map(|head| (0..rows).map(move |row| (head, row))) {
            let kv_head = head / (heads / kv_heads);
            let own = position + row;
            let from = if self.window > 0 { (own + 1).saturating_sub(self.window) } else { 0 };
            let score = |at: usize| {
                let number = |i: usize| operand(past[0].at((kv_head * capacity + at) * dim + i));
                let dot: f64 = (0..dim).map(|i| queries.at((head * rows + row) * padded + i) * number(i)).sum();
                let (dot, cap) = (dot * f64::from(self.scale()), f64::from(self.softcap));
                if cap > 0.0 { cap * (dot / cap).tanh() } else { dot }
            };
            let scores: Vec<f64> = (from..=own).map(score).collect();
            let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for i in 0..dim {
                let value = |at: usize| operand(past[1].at((kv_head * capacity + at) * dim + i));
                let parts = || weights.iter().zip(from..).map(|(weight, at)| weight * value(at));
                let (exact, size) = (parts().sum::<f64>() / sum, parts().map(f64::abs).sum::<f64>() / sum);
                let found = f64::from(out[(row * heads + head) * dim + i]);
                // Queries, keys and values are what they are: only weights are rounded, and what float32 sums lose.
                assert!(
                    (found - exact).abs() <= ROUNDING * size + 5e-6,
                    "{found} for {exact} of head {head}, row {row}, number {i}"
                );
            }
        }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    fn launch(&self, queries: &Numbers, past: &[Numbers; 2], out: u64) {
        let prompt = Prompt {
            queries: queries.place(),
            key_cache: past[0].place(),
            value_cache: past[1].place(),
            out,
            rows: self.rows as u32,
            heads: self.heads as u32,
            kv_heads: self.kv_heads as u32,
            dim: self.dim as u32,
            capacity: self.capacity() as u32,
            position: self.position as u32,
            window: self.window as u32,
            half: u32::from(self.half),
            scale: self.scale(),
            softcap: self.softcap,
        };
        run(&[Launch::new(prompt)]);
    }
}

#[test]
fn a_prompts_attention_is_that_of_float64_whatever_the_heads() {
    let mut rng = StdRng::seed_from_u64(11);
    let cases = [
        // Heads of whole tiles and of less, in each of the three kernels.
        Case { dim: 8, ..PLAIN },
        Case { dim: 16, half: true, ..PLAIN },
        Case { dim: 20, rows: 33, ..PLAIN },
        Case { dim: 80, rows: 40, half: true, ..PLAIN },
        Case { dim: 96, rows: 37, ..PLAIN },
        Case { dim: 128, position: 30, half: true, rows: 19, ..PLAIN },
        Case { dim: 128, position: 21, rows: 50, ..PLAIN },
        Case { dim: 192, kv_heads: 4, rows: 17, ..PLAIN },
        Case { dim: 256, heads: 2, rows: 35, half: true, ..PLAIN },
        Case { dim: 256, heads: 2, rows: 18, position: 14, ..PLAIN },
        // Groups of one, of four and of seven.
        Case { heads: 3, kv_heads: 3, ..PLAIN },
        Case { heads: 8, dim: 16, ..PLAIN },
        Case { heads: 14, dim: 16, half: true, ..PLAIN },
    ];
    for case in cases {
        case.check(&mut rng);
    }
}

#[test]
fn a_prompts_queries_see_what_came_before_within_their_window() {
    let mut rng = StdRng::seed_from_u64(12);
    let narrow = Case { heads: 2, kv_heads: 1, dim: 16, ..PLAIN };
    let cases = [
        // One row, whole tiles, blocks and stretches of keys, one more and one less.
        Case { rows: 1, ..narrow },
        Case { rows: 16, ..narrow },
        Case { rows: 64, ..narrow },
        Case { rows: 65, ..narrow },
        Case { rows: 128, half: true, ..narrow },
        Case { rows: 129, position: 63, ..narrow },
        // Chunks behind others.
        Case { rows: 1, position: 200, ..narrow },
        Case { rows: 40, position: 64, half: true, ..narrow },
        Case { rows: 150, position: 131, ..narrow },
        // Windows that hide something, everything but the token, whole stretches, and nothing.
        Case { window: 33, rows: 140, ..narrow },
        Case { window: 1, rows: 140, position: 70, ..narrow },
        Case { window: 64, rows: 200, position: 1, half: true, ..narrow },
        Case { window: 100, rows: 20, position: 300, ..narrow },
        Case { window: 17, rows: 64, position: 64, dim: 72, ..narrow },
        Case { window: 20, rows: 40, position: 9, dim: 132, ..narrow },
        Case { window: 500, rows: 140, ..narrow },
        // The last key of a stretch is the first that a warp's queries see.
        Case { window: 18, rows: 100, ..narrow },
        // Scores that are squashed, and such that one of them takes all.
        Case { softcap: 0.5, window: 20, ..narrow },
        Case { softcap: 5.0, spread: 30.0, half: true, ..narrow },
        Case { spread: 500.0, ..narrow },
    ];
    for case in cases {
        case.check(&mut rng);
    }
}

#[test]
fn a_prompts_queries_and_keys_are_normed_and_turned() {
    let mut rng = StdRng::seed_from_u64(13);
    for (at, norm) in [0, 1, 2, 1].into_iter().enumerate() {
        let case = Case { norm, rows: 11, position: 5, half: at % 2 == 1, interleaved: at / 2 == 1, ..PLAIN };
        for (dim, turned) in [(64, 64), (80, 32), (256, 256), (8, 4)] {
            Case { dim, turned, ..case }.check(&mut rng);
        }
    }
}

#[test]
fn inner_numbers_of_all_rows_are_activated() {
    let mut rng = StdRng::seed_from_u64(14);
    type Function = fn(f64) -> f64;
    let functions: [Function; 3] = [
        |x| x / (1.0 + (-x).exp()),
        |x| 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        |x| 0.5 * x * (1.0 + (0.797_884_560_802_865_4 * (x + 0.044_715 * x * x * x)).tanh()),
    ];
    for count in [1, 1023, 1024, 5000] {
        for (activation, function) in (1..).zip(functions) {
            for gated in [false, true] {
                let before: Vec<f32> = random(&mut rng, count + 1).into_iter().map(|x| 6.0 * x).collect();
                let (mut x, factor) = (before.clone(), random(&mut rng, count));
                let activate = Activate {
                    x: x.as_mut_ptr().addr() as u64,
                    factor: if gated { place(&factor) } else { 0 },
                    count: count as u32,
                    activation,
                };
                run(&[Launch::new(activate)]);
                assert_eq!(x[count], before[count], "written beyond the end");
                for at in 0..count {
                    let exact = function(f64::from(before[at])) * if gated { f64::from(factor[at]) } else { 1.0 };
                    assert!((f64::from(x[at]) - exact).abs() < 2e-6, "{} for {exact}", x[at]);
                }
            }
        }
    }
}
