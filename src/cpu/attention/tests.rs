//! Every instruction set against plain float64.

use half::f16;

use super::*;

/// Pseudorandom numbers, the same each time.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: usize) -> usize {
        self.bits() as usize % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Within ±1.
    fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.bits() as f32 / 2f32.powi(30) - 1.0).collect()
    }
}

fn shape(random: &mut Random) -> Shape {
    let tokens = if random.below(2) == 0 { 1 + random.below(3) } else { 1 + random.below(40) };
    let length = tokens + random.below(700);
    let kv_heads = 1 + random.below(3);
    let dim = random.one_of(&[8, 16, 24, 64, 72, 80, 96, 128, 144, 256]);
    Shape {
        tokens,
        position: length - tokens,
        window: random.one_of(&[None, Some(1), Some(5), Some(100), Some(1000)]),
        heads: kv_heads * (1 + random.below(8)),
        kv_heads,
        dim,
        value_dim: random.one_of(&[dim, 8, 20, 64]),
        capacity: length + random.below(3),
        scale: random.one_of(&[0.05, 0.3, 1.0]),
        softcap: random.one_of(&[None, None, Some(2.0)]),
    }
}

/// The definition.
fn plain(shape: &Shape, queries: &[f32], keys: &[f32], values: Option<&[f32]>) -> Vec<f64> {
    let Shape { tokens, heads, dim, value_dim, capacity, .. } = *shape;
    let mut out = Vec::new();
    for (token, head) in (0..tokens).flat_map(|token| (0..heads).map(move |head| (token, head))) {
        let group = heads / shape.kv_heads;
        let first = head / group * capacity;
        let query = &queries[(token * heads + head) * dim..][..dim];
        let position = shape.position + token;
        let visible = (0..=position).filter(|key| shape.window.is_none_or(|window| position - key < window));
        let scores = visible.map(|key| {
            let of_key = &keys[(first + key) * dim..][..dim];
            let dot: f64 = query.iter().zip(of_key).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let score = dot * f64::from(shape.scale);
            (key, shape.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh()))
        });
        let scores: Vec<(usize, f64)> = scores.collect();
        let largest = scores.iter().map(|(_, score)| *score).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores.iter().map(|(_, score)| (score - largest).exp()).sum();
        out.extend((0..value_dim).map(|i| -> f64 {
            let value = |key: usize| match values {
                Some(values) => values[(first + key) * value_dim + i],
                None => keys[(first + key) * dim + i],
            };
            scores.iter().map(|(key, score)| (score - largest).exp() / sum * f64::from(value(*key))).sum()
        }));
    }
    out
}

fn attended<E: Number>(isa: Isa, pool: &Pool, shape: Shape, queries: &[f32], cache: Cache<E>) -> Vec<f32> {
    let mut out = vec![MaybeUninit::new(f32::INFINITY); shape.tokens * shape.heads * shape.value_dim];
    attend(isa, pool, shape, queries, cache, &mut out);
    // SAFETY: initialized from the start.
    out.into_iter().map(|x| unsafe { x.assume_init() }).collect()
}

fn worst(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, |a, b| if b <= a { a } else { b })
}

#[test]
fn all_instruction_sets_attend_as_the_definition_says() {
    let (mut random, pool) = (Random(1), Pool::new(3));
    for _ in 0..40 {
        let shape = shape(&mut random);
        let shares = random.below(4) == 0 && shape.value_dim <= shape.dim;
        let queries = random.numbers(shape.tokens * shape.heads * shape.dim);
        let cached = shape.kv_heads * shape.capacity;
        let narrow = |numbers: Vec<f32>| -> Vec<f16> { numbers.into_iter().map(f16::from_f32).collect() };
        let widen = |numbers: &[f16]| -> Vec<f32> { numbers.iter().map(|x| x.to_f32()).collect() };
        // Both caches then hold the same.
        let keys = narrow(random.numbers(cached * shape.dim));
        let values = (!shares).then(|| narrow(random.numbers(cached * shape.value_dim)));
        let (wide_keys, wide_values) = (widen(&keys), values.as_deref().map(widen));
        let expected = plain(&shape, &queries, &wide_keys, wide_values.as_deref());
        for isa in Isa::all() {
            let half = Cache { keys: &keys, values: values.as_deref() };
            let float = Cache { keys: &wide_keys, values: wide_values.as_deref() };
            let found = [attended(isa, &pool, shape, &queries, half), attended(isa, &pool, shape, &queries, float)];
            for found in found {
                let worst = worst(&found, &expected);
                // Scores go up to 30, of which float32 has 2e-6.
                assert!(worst < 2e-5, "{isa:?}, {shape:?}: differs by up to {worst}");
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let mut random = Random(2);
    for tokens in [1, 2, 40] {
        let shape = Shape {
            tokens,
            position: 3000 - tokens,
            window: None,
            heads: 8,
            kv_heads: 2,
            dim: 64,
            value_dim: 64,
            capacity: 3000,
            scale: 0.125,
            softcap: None,
        };
        let queries = random.numbers(tokens * 8 * 64);
        let (keys, values) = (random.numbers(2 * 3000 * 64), random.numbers(2 * 3000 * 64));
        let cache = Cache { keys: &keys[..], values: Some(&values) };
        let one = attended(Isa::best(), &Pool::new(1), shape, &queries, cache);
        assert_eq!(one, attended(Isa::best(), &Pool::new(4), shape, &queries, cache));
        let worst = worst(&one, &plain(&shape, &queries, &keys, Some(&values)));
        assert!(worst < 5e-6, "{tokens} tokens: differs by up to {worst}");
    }
}

#[test]
fn what_is_not_a_number_reaches_the_rows_that_see_it() {
    let (mut random, pool) = (Random(3), Pool::new(2));
    for (tokens, group) in [(1, 4), (3, 1), (24, 2)] {
        let (length, dim) = (700 + tokens, 64);
        let shape = Shape {
            tokens,
            position: length - tokens,
            window: None,
            heads: group,
            kv_heads: 1,
            dim,
            value_dim: dim,
            capacity: length,
            scale: 0.1,
            softcap: None,
        };
        let queries = random.numbers(tokens * group * dim);
        let (keys, values) = (random.numbers(length * dim), random.numbers(length * dim));
        for isa in Isa::all() {
            let mut bad = keys.clone();
            bad[600 * dim + 5] = f32::NAN;
            let found = attended(isa, &pool, shape, &queries, Cache { keys: &bad, values: Some(&values) });
            assert!(found.iter().all(|x| x.is_nan()), "{isa:?}: a key");
            let mut bad = values.clone();
            bad[5] = f32::NAN;
            let found = attended(isa, &pool, shape, &queries, Cache { keys: &keys, values: Some(&bad) });
            let is_bad = |i: usize| found[i].is_nan() == (i % dim == 5);
            assert!((0..found.len()).all(is_bad), "{isa:?}: a value");
            let mut bad = queries.clone();
            bad[0] = f32::NAN;
            let found = attended(isa, &pool, shape, &bad, Cache { keys: &keys, values: Some(&values) });
            assert!((0..found.len()).all(|i| found[i].is_nan() == (i < dim)), "{isa:?}: a query");
        }
    }
}
