#!/usr/bin/env bash
# Builds with CUDA on a machine that has no CUDA toolkit, no GPU and no driver: nvcc, headers and libraries come from NVIDIA's
# packages on PyPI (under NVIDIA's licence), and what only a driver or a large package has is linked against empty stubs, whose
# place the target machine's real libraries take at run time.
#
#   scripts/build_cuda.sh [COMPUTE_CAP] [TOOLKIT_FOLDER]
#
# COMPUTE_CAP is the GPU's compute capability without the dot: 89 for an L4 (the default), 90 for an H100 or H200.
# The build has a target folder of its own, so that the CPU build stays. CUDAFORGE_THREADS says how many kernels are
# compiled at once (2 unless told). Other cargo commands can have the same toolkit: source its file `env` first.
set -euo pipefail

# The versions that belong together in CUDA 13.0 (`cuda-toolkit==13.0.2` on PyPI). A driver refuses PTX of a toolkit newer than
# itself, and drivers of the 580 series are of CUDA 13.0.
packages=(
    nvidia-cuda-nvcc==13.0.88
    nvidia-nvvm==13.0.88
    nvidia-cuda-crt==13.0.88
    nvidia-cuda-runtime==13.0.96
    nvidia-cuda-cccl==13.0.85
    nvidia-cuda-nvrtc==13.0.88
    nvidia-curand==10.4.0.35
)

fail() {
    echo "error: $1" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null || fail "$1 is missing: $2"
}

compute_cap=${1:-89}
[[ $compute_cap =~ ^[0-9]{2,3}$ ]] || fail "compute capability \`$compute_cap\` is not a number such as 89 (L4) or 90 (H100, H200)"
[[ $(uname -s) == Linux ]] || fail "the packages are for Linux, and this is $(uname -s)"
need cargo "see https://rustup.rs"
need python3 "install Python 3.9 or later (Debian: apt install python3 python3-venv)"
need cc "install a C compiler (Debian: apt install build-essential)"
need c++ "nvcc needs a C++ compiler (Debian: apt install build-essential)"
need readelf "install binutils (Debian: apt install binutils)"

# A folder given is meant from where the script was called.
given=${2:+$(realpath -m -- "$2")}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
metadata=$(cargo metadata --format-version 1 --locked --features cuda)
target=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])' <<<"$metadata")
cudarc=$(python3 -c 'import json, os, sys
packages = json.load(sys.stdin)["packages"]
print(next(os.path.dirname(p["manifest_path"]) for p in packages if p["name"] == "cudarc"))' <<<"$metadata")
toolkit=${given:-$target/cuda-toolkit}
mkdir -p "$toolkit"

# 1. nvcc and headers, in an environment with nothing else in it: other packages would move versions.
venv=$toolkit/venv
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python3 -m venv --clear "$venv" || fail "python3 makes no environment with pip (Debian: apt install python3-venv)"
fi
echo "packages: ${packages[*]}"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "${packages[@]}" ||
    fail "pip could not install NVIDIA's packages: is PyPI reachable?"
from=$(echo "$venv"/lib/python3*/site-packages/nvidia/cu13)
[[ -x $from/bin/nvcc ]] || fail "the packages hold no nvcc at $from/bin"

# 2. A toolkit of links: what build scripts look for, where they look for it.
home=$toolkit/home
rm -rf "$home"
mkdir -p "$home/lib/stubs"
ln -s "$from/bin" "$from/include" "$from/nvvm" "$home/"
ln -s lib "$home/lib64"
ln -s "$from"/lib/lib* "$home/lib/"
for library in cudart curand nvrtc; do
    versioned=("$from/lib/lib$library.so".*)
    ln -s "${versioned[0]}" "$home/lib/lib$library.so"
done

# 3. Stubs: an empty function for each that the bindings declare, under the name that the real library is loaded by.
stub() {
    local library=$1 soname=$2 bindings=$cudarc/src/$3/sys/mod.rs
    [[ -f $bindings ]] || fail "cudarc's bindings are not at $bindings: its sources have changed"
    local names
    names=$(grep -oE '^pub unsafe fn cu[A-Za-z0-9_]+' "$bindings" | awk '{ print $4 }' | grep -vx culib | sort -u) ||
        fail "found no function in $bindings: cudarc's sources have changed"
    awk '{ print "void " $1 "(void) {}" }' <<<"$names" |
        cc -x c -shared -fPIC -nostdlib -w "-Wl,-soname,$soname" -o "$home/lib/stubs/lib$library.so" -
    echo "stub: $soname, $(wc -l <<<"$names") functions"
}
stub cuda libcuda.so.1 driver
stub cublas libcublas.so.13 cublas
stub cublasLt libcublasLt.so.13 cublaslt

quoted=$(printf '%q' "$home")
cat >"$toolkit/env" <<ENV
export CUDA_HOME=$quoted CUDA_PATH=$quoted PATH=$quoted/bin:"\$PATH"
unset NVCC CUDA_ROOT CUDA_TOOLKIT_ROOT_DIR CUDNN_LIB CUDARC_CUDA_VERSION
ENV
# shellcheck source=/dev/null
. "$toolkit/env"
nvcc --version | grep release

# 4. The build.
export CUDA_COMPUTE_CAP=$compute_cap CUDAFORGE_THREADS=${CUDAFORGE_THREADS:-2}
cargo build --release --locked --features cuda --target-dir "$target/cuda-$compute_cap"

bench=$target/cuda-$compute_cap/release/bench
needed=$(readelf -d "$bench" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')
glibc=$(readelf --version-info "$bench" | grep -oE 'GLIBC_[0-9.]+' | sort -Vu | tail -1)
cat <<TEXT

$bench
The machine that runs it needs
- a GPU of compute capability $compute_cap and a driver of CUDA 13.0 or newer (series 580 and later);
- $glibc, and these libraries: $needed
- of these, all but the driver's libcuda.so.1 and the system's own come with the CUDA 13 toolkit, or from PyPI:
    pip install nvidia-cublas==13.1.0.3 nvidia-cuda-runtime==13.0.96 nvidia-curand==10.4.0.35
    export LD_LIBRARY_PATH=.../site-packages/nvidia/cu13/lib
TEXT
