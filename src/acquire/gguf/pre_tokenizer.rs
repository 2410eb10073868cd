//! Pre-tokenizers: how a text is split before byte-pair merging, by the name that a file gives as `tokenizer.ggml.pre`.
//!
//! The names are those of byte-level vocabularies in llama.cpp's `llama-vocab.cpp` (of November 2026). The patterns are those of
//! the models' own `tokenizer.json` where llama.cpp cites them, for it writes some otherwise that its own matcher does not read.
//! Left out are names of encoders, which end a text with a separator, and of vocabularies that are not byte-level.

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PreTokenizer {
    /// Each isolates its matches in the pieces that the one before it left.
    pub(super) patterns: &'static [&'static str],
    /// A piece that is a token is that token, whatever the merges make of it.
    pub(super) ignores_merges: bool,
    /// A text begins with the token of its beginning where the file does not say.
    pub(super) begins: bool,
    /// Texts are composed first (Unicode's NFC).
    pub(super) composes: bool,
}

/// The one of a file that names none, and whose texts are split otherwise than in training as likely as not.
pub(super) const DEFAULT: &str = "default";

impl PreTokenizer {
    /// Of a name; `None` for one that is not known.
    pub(super) fn named(name: &str) -> Option<Self> {
        let patterns = TABLE.iter().find(|(_, names)| names.contains(&name)).map(|(patterns, _)| *patterns)?;
        Some(Self {
            patterns,
            ignores_merges: LLAMA3_ITSELF.contains(&name) || IGNORE_MERGES.contains(&name),
            begins: LLAMA3_ITSELF.contains(&name) || matches!(name, "tekken" | "chameleon"),
            composes: matches!(name, "qwen2" | "qwen35"),
        })
    }

    /// Every name that is known.
    #[cfg(test)]
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().flat_map(|(_, names)| names.iter().copied())
    }
}

/// Names of vocabularies that were made as Llama 3's was; others have its split alone.
const LLAMA3_ITSELF: &[&str] =
    &["llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"];
const IGNORE_MERGES: &[&str] = &["youtu", "tekken", "minicpm5", "granite-embed-multi-97m"];

/// Splits, and the names that stand for each.
const TABLE: &[(&[&str], &[&str])] = &[
    (BY_DEFAULT, &[DEFAULT]),
    (LLAMA3, LLAMA3_ITSELF),
    (LLAMA3, &["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"]),
    (
        GPT2,
        &[
            "gpt-2",
            "phi-2",
            "jina-es",
            "jina-de",
            "gigachat",
            "jina-v2-es",
            "jina-v2-de",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "exaone4",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
        ],
    ),
    (SINGLE_DIGITS, &["smollm", "exaone", "starcoder", "refact", "command-r", "codeshell", "minerva-7b", "mellum2"]),
    (
        QWEN2,
        &["qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2"],
    ),
    (QWEN35, &["qwen35"]),
    (GPT4O, &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"]),
    (TEKKEN, &["tekken"]),
    (DEEPSEEK, &["deepseek-llm"]),
    (DEEPSEEK_CODER, &["deepseek-coder"]),
    (DEEPSEEK3, &["deepseek-v3", "hunyuan-dense", "hy_v4", "joyai-llm"]),
    (EXAONE_MOE, &["exaone-moe"]),
    (FALCON, &["falcon"]),
    (BLOOM, &["bloom", "gpt3-finnish", "poro-chat"]),
    (VIKING, &["viking"]),
    (JAIS2, &["jais-2"]),
    (BAILING, &["bailingmoe", "bailingmoe2", "llada-moe"]),
    (SEED_CODER, &["seed-coder"]),
    (MINICPM5, &["minicpm5"]),
    (LAGUNA, &["laguna"]),
    (UFAKZEKA, &["ufakzeka"]),
    (YOUTU, &["youtu"]),
    (KIMI_K2, &["kimi-k2"]),
    (AFMOE, &["afmoe"]),
    (TINY_AYA, &["tiny_aya", "cohere2moe"]),
    (SUPERBPE, &["superbpe"]),
    (CHAMELEON, &["chameleon"]),
    (GRANITE_EMBED, &["granite-embed-multi-97m"]),
];

const GPT2_WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const QWEN2_WORDS: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O_WORDS: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
const DEEPSEEK3_WORDS: &str = concat!(
    r"[!\x22#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*",
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
);

const HAN_AND_KANA: &str = r"[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+";
const CJK: &str = r"[\u{4e00}-\u{9fa5}\u{800}-\u{4e00}\u{ac00}-\u{d7ff}]+";

const BY_DEFAULT: &[&str] = &[r"[\p{P}\$\+<=>\^~\|]+", GPT2_WORDS, r"\p{N}+", "[0-9][0-9][0-9]"];
const GPT2: &[&str] = &[GPT2_WORDS];
const SINGLE_DIGITS: &[&str] = &[r"\p{N}", GPT2_WORDS];
const LLAMA3: &[&str] = &[
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];
const QWEN2: &[&str] = &[QWEN2_WORDS];
const QWEN35: &[&str] = &[concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+",
    r"|\s+(?!\S)|\s+",
)];
const GPT4O: &[&str] = &[GPT4O_WORDS];
const TEKKEN: &[&str] = &[concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)];
const EXAONE_MOE: &[&str] = &[concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?",
    r"|\s*[\r\n]|\s+(?!\S)|\s+",
)];
const DEEPSEEK3: &[&str] = &[r"\p{N}{1,3}", HAN_AND_KANA, DEEPSEEK3_WORDS];
const DEEPSEEK_CODER: &[&str] = &["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK, r"\p{N}"];
/// Of the letters those that have two cases. Digits are cut one by one, as the model's `tokenizer.json` has it.
const DEEPSEEK: &[&str] = &[
    "[\r\n]",
    concat!(
        r"\s?[",
        "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ",
        "-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰",
        "-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃",
        "]+",
    ),
    r"\s?[!-/:-~！-／：-～‘-‟\u{3000}-。]+",
    r"\s+$",
    CJK,
    r"\p{N}",
];
const FALCON: &[&str] = &[r"[\p{P}\$\+<=>\^~\|`]+", GPT2_WORDS, "[0-9][0-9][0-9]"];
const BLOOM_WORDS: &str = r" ?[^(\s|.,!?\u{2026}\u{3002}\u{ff0c}\u{3001}\u{964}\u{6d4}\u{60c})]+";
const BLOOM: &[&str] = &[BLOOM_WORDS];
const VIKING: &[&str] = &[BLOOM_WORDS, r"\p{N}"];
const JAIS2: &[&str] = &[concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)",
    r"|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}",
)];
const BAILING: &[&str] =
    &[r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"];
const SEED_CODER: &[&str] = &[
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+",
];
const MINICPM5: &[&str] = &[
    r"\p{N}{1,3}",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];
const LAGUNA: &[&str] = &[r"[^\n]+|[\n]+", QWEN2_WORDS];
const UFAKZEKA: &[&str] = &[r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"];
const YOUTU: &[&str] = &[
    concat!(
        r"[\u{ac00}-\u{d7a3}\u{3131}-\u{318e}]+",
        r"|[\u{ff01}\u{2026}“”‘’\u{2014}\u{ff1a}\u{ff1b}\u{ff0c}\u{3001}-\u{303f}\u{fe30}-\u{fe4f}]+|[\u{3105}-\u{312f}]+",
        r"|[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+",
    ),
    concat!(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
];
/// As o200k's words, those of Han apart.
const KIMI_K2: &[&str] = &[concat!(
    r"[\p{Han}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)];
/// Digits in threes from the right, of which the first may have fewer.
const AFMOE: &[&str] = &[
    r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))",
    concat!(
        r"[\u{4e00}-\u{9fff}\u{3400}-\u{4dbf}\u{f900}-\u{faff}\u{3040}-\u{309f}\u{30a0}-\u{30ff}\u{ff65}-\u{ff9f}",
        r"\u{2f00}-\u{2fdf}\u{e40}-\u{e7f}\u{e80}-\u{eff}\u{1780}-\u{17ff}\u{1000}-\u{109f}\u{aa60}-\u{aa7f}",
        r"\u{a9e0}-\u{a9ff}\u{ac00}-\u{d7af}\u{1100}-\u{11ff}]+",
    ),
    DEEPSEEK3_WORDS,
];
const TINY_AYA: &[&str] = &[r"\d{1,3}(?=(?:\d{3})*\b)", GPT4O_WORDS];
const SUPERBPE: &[&str] = &[r"\p{N}+", r"(?=(\d{3})+(?!\d))"];
const CHAMELEON: &[&str] = &[
    "<sentinel:[0-9]+>",
    "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
    r"([\t\n]|    |  )",
    r"\p{N}",
    r"[\p{P}!-/:-@\[-`{-~]",
    GPT2_WORDS,
];
const GRANITE_EMBED: &[&str] = &[concat!(
    r"[^\r\n\p{L}\p{N}]?((?=[\p{L}\p{M}])([^a-z]))*((?=[\p{L}\p{M}])([^A-Z]))+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?((?=[\p{L}\p{M}])([^a-z]))+((?=[\p{L}\p{M}])([^A-Z]))*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde::Deserialize;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _};

    use super::super::testing::{Value as Is, field, file};
    use super::super::text_model;
    use super::*;

    #[derive(Deserialize)]
    struct Splits {
        text: String,
        /// Characters of each piece, by name.
        lengths: BTreeMap<String, Vec<usize>>,
    }

    /// Python's `regex` matches the patterns of transformers and of llama.cpp: `tests/fixtures/tokenizer_cases.py`.
    #[test]
    fn each_name_splits_as_another_implementation_does() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tokenizers/pre_tokenizers.json");
        let splits: Splits = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let known: BTreeSet<&str> = PreTokenizer::names().collect();
        assert_eq!(PreTokenizer::names().count(), known.len(), "a name is there once");
        assert_eq!(splits.lengths.keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
        assert!(splits.lengths.values().collect::<BTreeSet<_>>().len() > 20, "the text tells splits apart");
        for (name, lengths) in &splits.lengths {
            let pieces = pieces(name, &splits.text);
            let mut begin = splits.text.chars();
            let expected: Vec<String> = lengths.iter().map(|length| begin.by_ref().take(*length).collect()).collect();
            assert_eq!(pieces, expected, "{name}");
        }
    }

    fn pieces(name: &str, text: &str) -> Vec<String> {
        let fields = [
            ("tokenizer.ggml.model", Is::Text("gpt2")),
            ("tokenizer.ggml.tokens", Is::Texts(&["a", "b", "ab"])),
            ("tokenizer.ggml.merges", Is::Texts(&["a b"])),
            ("tokenizer.ggml.pre", Is::Text(name)),
        ];
        let fields: Vec<Vec<u8>> = fields.iter().map(|(key, value)| field(key, *value)).collect();
        let model = text_model(&file(&fields)).unwrap().unwrap();
        let mut whole = PreTokenizedString::from(text);
        model.tokenizer.get_pre_tokenizer().unwrap().pre_tokenize(&mut whole).unwrap();
        let splits = whole.get_splits(OffsetReferential::Original, OffsetType::Byte);
        splits.into_iter().map(|(_, (from, to), _)| text[from..to].to_owned()).collect()
    }

    #[test]
    fn a_name_that_nobody_knows_stands_for_nothing() {
        assert_eq!(PreTokenizer::named("mammoth"), None);
        let bpe = PreTokenizer::named("llama-bpe").unwrap();
        assert!(bpe.ignores_merges && bpe.begins && !bpe.composes);
        let smaug = PreTokenizer::named("smaug-bpe").unwrap();
        assert!(smaug.patterns == bpe.patterns && !smaug.ignores_merges && !smaug.begins);
    }
}
