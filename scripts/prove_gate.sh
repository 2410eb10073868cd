#!/usr/bin/env bash
# How often `bench check` errs on this machine: runs of one build that must pass, and the same made slower by a tenth in decode,
# which must fail. Random weights at the width of SmolLM2-135M and eight of its layers; nothing is downloaded. Run it when nothing
# else runs; it takes half an hour for ten repeats on two cores.
#
#   scripts/prove_gate.sh [REPEATS] [FOLDER]
set -euo pipefail
repeats=${1:-10}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo build --release --quiet --features slowdown
bench=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/bench
mkdir -p "${2:-target/prove-gate}"
cd "${2:-target/prove-gate}"

mkdir -p small prompts
cat >small/config.json <<'JSON'
{"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 8,
 "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
 "rope_theta": 100000, "tie_word_embeddings": true}
JSON
cat >prompts/short.toml <<'TOML'
description = "Short enough to be repeated often."
repeat = 20
warmup = 2

[[prompt]]
id = "pp64+tg64"
prompt_tokens = 64
output_tokens = 64

[[prompt]]
id = "pp256"
prompt_tokens = 256
output_tokens = 1
TOML
# The other build of --ab: the same one, and never slowed.
cat >fast <<SH
#!/bin/sh
unset BENCH_SLOWDOWN_DECODE
exec "$bench" "\$@"
SH
chmod +x fast

echo "== the baseline, and how far this machine's own runs lie apart"
"$bench" compare --quiet --synthetic --local small --suite short --prompts prompts --repeat 20 --warmup 2 >/dev/null || true
"$bench" baseline save --quiet --force --output base.json
"$bench" check --quiet --calibrate --rounds 8 --baseline base.json --prompts prompts

# NAME SLOWDOWN OPTION...: counts exit statuses.
try() {
    local name=$1 slowdown=$2 status
    shift 2
    declare -A counts=([0]=0 [1]=0 [2]=0 [3]=0)
    for repeat in $(seq "$repeats"); do
        status=0
        BENCH_SLOWDOWN_DECODE=$slowdown "$bench" check --quiet --baseline base.json --prompts prompts "$@" \
            >"$name.$repeat.txt" 2>&1 || status=$?
        counts[$status]=$((counts[$status] + 1))
    done
    printf '%-28s passed %2d  regressed %2d  could not %2d  not decided %2d\n' \
        "$name" "${counts[0]}" "${counts[1]}" "${counts[2]}" "${counts[3]}"
    cat "$name.1.txt"
}
for option in "--ab ./fast --rounds 20" --measure; do
    echo "== check $option, $repeats times"
    # shellcheck disable=SC2086 # An option and its arguments.
    try "same build, ${option%% *}" 0 $option
    # shellcheck disable=SC2086
    try "decode +10 %, ${option%% *}" 0.1 $option
done
