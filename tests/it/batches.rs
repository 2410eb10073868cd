//! However a text comes to the decoder, at once, step by step, or in a batch with others, it predicts the same: with every
//! checkpoint, so with every kind of attention, window, rotary embedding and mixture.

use bench::catalog::Quantization;
use bench::engine::candle::{CandleEngine, Logits};

use crate::support::decoder::{Reference, checkpoint, checkpoints, following, load, log_probs, worst};

/// Largest difference of a log-probability that float32 products of other shapes explain.
const TOLERANCE: f32 = 1e-4;

/// Predictions after each token, of one sequence in one call.
fn alone(engine: &mut CandleEngine, ids: &[u32]) -> Vec<Vec<f32>> {
    let decoder = engine.decoder();
    decoder.reset(&[ids.len()]).unwrap();
    log_probs(&decoder.forward(&[ids], Logits::Every).unwrap())
}

/// For every checkpoint: its engine and so many tokens of its reference, the text over and over.
fn for_every_checkpoint(tokens: usize, mut test: impl FnMut(&str, &mut CandleEngine, &[u32])) {
    for name in checkpoints() {
        let mut engine = load(checkpoint(&name), Some(Quantization::F32));
        test(&name, &mut engine, &Reference::of(&name).tokens(tokens));
    }
}

/// Lengths at which a sequence crosses every window, one turns by longrope's long frequencies and another by its short ones,
/// and the batch takes more than one pass, the second of which begins within a sequence.
#[test]
fn each_row_of_a_batch_is_predicted_as_if_alone() {
    for_every_checkpoint(300, |name, engine, ids| {
        let batch = [&ids[..300], &ids[40..77], &ids[20..280], &ids[5..6]];
        let single: Vec<Vec<f32>> = batch.iter().flat_map(|ids| alone(engine, ids)).collect();
        let decoder = engine.decoder();
        decoder.reset(&batch.map(<[u32]>::len)).unwrap();
        let together = log_probs(&decoder.forward(&batch, Logits::Every).unwrap());
        let difference = worst(&single, &together);
        assert!(difference < TOLERANCE, "{name}: a row of the batch differs by up to {difference}");

        // The same memory again, in another order.
        let mut turned = batch;
        turned.rotate_left(1);
        decoder.reset(&turned.map(<[u32]>::len)).unwrap();
        let last = log_probs(&decoder.forward(&turned, Logits::Last).unwrap());
        let ends = [336, 596, 597, 299].map(|row: usize| single[row].clone());
        let difference = worst(&ends, &last);
        assert!(difference < TOLERANCE, "{name}: a last row differs by up to {difference}");
    });
}

/// Tokens that each of three sequences appends in each of the steps, after which all of them decode.
const STEPS: [[usize; 3]; 7] = [[20, 3, 0], [1, 1, 0], [1, 0, 30], [5, 1, 1], [1, 40, 1], [0, 1, 1], [30, 1, 7]];

#[test]
fn sequences_prefill_and_decode_beside_each_other() {
    for_every_checkpoint(96, |name, engine, ids| {
        let texts = [ids, &ids[30..], &ids[7..90]];
        let expected = texts.map(|ids| alone(engine, ids));
        let decoder = engine.decoder();
        decoder.reset(&texts.map(<[u32]>::len)).unwrap();
        let mut positions = [0; 3];
        let steps = STEPS.into_iter().chain(std::iter::repeat_n([1; 3], 8));
        for (step, counts) in steps.enumerate() {
            let ranges: Vec<_> = positions.iter().zip(counts).map(|(from, count)| *from..from + count).collect();
            let news: Vec<&[u32]> = texts.iter().zip(&ranges).map(|(ids, range)| &ids[range.clone()]).collect();
            let found = log_probs(&decoder.forward(&news, Logits::Every).unwrap());
            let rows = expected.iter().zip(&ranges).flat_map(|(rows, range)| &rows[range.clone()]);
            let worst = worst(&rows.cloned().collect::<Vec<_>>(), &found);
            assert!(worst < TOLERANCE, "{name}: step {step} differs by up to {worst}");
            positions = std::array::from_fn(|sequence| ranges[sequence].end);
        }
    });
}

/// Compared are the tokens that do follow, as in the references: in one row of one checkpoint, unlikely ones that do not (1
/// in 10,000) differ by 1.3e-4, where the rows on both sides agree.
#[test]
fn prefill_then_decode_equals_one_forward_pass() {
    let mut beyond_a_window = 0;
    for_every_checkpoint(48, |name, engine, ids| {
        let whole = alone(engine, ids);
        let decoder = engine.decoder();
        decoder.reset(&[ids.len()]).unwrap();
        let (prompt, rest) = ids.split_at(10);
        let mut stepwise = log_probs(&decoder.forward(&[prompt], Logits::Every).unwrap());
        for id in rest {
            stepwise.extend(log_probs(&decoder.forward(&[&[*id]], Logits::Last).unwrap()));
        }
        let worst = worst(&[following(ids, &whole)], &[following(ids, &stepwise)]);
        assert!(worst < TOLERANCE, "{name}: differs by up to {worst}");
        beyond_a_window += usize::from(
            decoder.spec().layers.iter().any(|layer| layer.window.is_some_and(|window| window < ids.len())),
        );
    });
    assert_eq!(beyond_a_window, 9, "checkpoints with windows");
}

#[test]
fn a_batch_has_tokens_for_each_of_its_sequences() {
    let mut engine = load(checkpoint("llama-gqa"), Some(Quantization::F32));
    let decoder = engine.decoder();
    decoder.reset(&[4, 4]).unwrap();
    let error = decoder.forward(&[&[1]], Logits::Last).unwrap_err();
    assert!(error.to_string().starts_with("1 lists of tokens for 2 sequences"), "{error}");
}
