#!/usr/bin/env bash
# Counts what a decode step asks of a GPU, on a machine without one: kernels, allocations, copies and waits, with bench's own
# kernels and without them. A CUDA build runs on libraries that count and compute nothing (calls.c).
#
#   benches/gpu_calls/count.sh BENCH CHECKPOINT...
#
# BENCH is a CUDA build (scripts/build_cuda.sh tells where it lies). A step's figures are the difference of two answers, of 4 and
# of 20 tokens, over 16.
set -euo pipefail

[[ $# -ge 2 ]] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
bench=$(realpath -- "$1")
shift
source=$(dirname "$(realpath -- "${BASH_SOURCE[0]}")")/calls.c
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

library() {
    local part=$1 name=$2
    shift 2
    cc -shared -fPIC -O1 -w "-D$part" "-Wl,-soname,$name" -o "$folder/$name" "$source" "$@"
}
library DRIVER libcuda.so.1
echo 'libcudart.so.13 { *; };' >"$folder/versions"
library RUNTIME libcudart.so.13 "-Wl,--version-script=$folder/versions" "$folder/libcuda.so.1"
library BLAS libcublas.so.13 "$folder/libcuda.so.1"
echo 'libcurand.so.10 { *; };' >"$folder/versions"
library RANDOM libcurand.so.10 "-Wl,--version-script=$folder/versions" "$folder/libcuda.so.1"

# The counts of an answer of so many tokens.
answer() {
    LD_LIBRARY_PATH=$folder GPU_CALLS=$folder/$2 "$bench" run "$1" --ids '[1, 2, 3]' --max-new-tokens "$2" --ignore-eos \
        --device cuda --format json >/dev/null 2>"$folder/said" || { cat "$folder/said" >&2; exit 1; }
}

printf '| of a step | kernels | in a graph | calls | allocations | memory set | to the GPU | back | waits |\n'
printf '|---|--:|--:|--:|--:|--:|--:|--:|--:|\n'
for checkpoint; do
    for mode in graph candle; do
        if [[ $mode == candle ]]; then export GPU_WITHOUT_GRAPHS=1; else unset GPU_WITHOUT_GRAPHS; fi
        answer "$checkpoint" 4
        answer "$checkpoint" 20
        paste "$folder/4" "$folder/20" | awk -F'\t' -v name="$(basename "$checkpoint"), $mode" '
            { n[$1] = ($4 - $2) / 16 }
            END {
                calls = n["launches"] + n["graphs"] + n["products"]
                printf "| %s | %g | %g | %g | %g | %g | %g in %g B | %g in %g B | %g |\n", name, n["launches"] + n["products"] + n["in graphs"],
                    n["in graphs"], calls, n["allocations"], n["sets"], n["up"], n["up bytes"], n["down"], n["down bytes"], n["waits"]
            }'
    done
done
