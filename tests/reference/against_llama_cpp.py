"""Log-probabilities of real GGUF files, token by token, against llama.cpp.

    pip install llama-cpp-python gguf        # compiles llama.cpp
    cargo build --release
    python tests/reference/against_llama_cpp.py target/release/bench MODEL.gguf...

Both engines tokenize the same text and score the same ids: as the file is stored, and again as a copy of it with
every weight dequantized to float32. As stored, both engines' kernels also round activations to blocks of 8 bits; with
the copy nothing is left to round, so there the two must agree but for float32's own rounding, and its values are the
yardstick for either.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

TEXTS = [("Korean", "ko.txt"), ("English", "en.txt")]
F32 = gguf.GGMLQuantizationType.F32


@dataclass
class Scored:
    """The ids of a text, and the log-probability of each but the first."""

    ids: list[int]
    log_probs: np.ndarray


def with_bench(bench: Path, model: Path, text: Path) -> Scored:
    command = [bench, "score", model, "--text", text, "--per-token", "--format", "json", "--device", "cpu"]
    tokens = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["per_token"]
    return Scored([token["id"] for token in tokens], np.array([token["log_prob"] for token in tokens[1:]]))


def with_llama_cpp(model: llama_cpp.Llama, text: Path) -> Scored:
    ids = model.tokenize(text.read_bytes(), add_bos=True, special=False)
    model.reset()
    model.eval(ids)
    logits = model.scores[:len(ids) - 1].astype(np.float64)
    highest = logits.max(axis=1)
    normalizer = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    return Scored(ids, logits[np.arange(len(ids) - 1), ids[1:]] - normalizer)


def open_in_llama_cpp(path: Path) -> llama_cpp.Llama:
    """With a float32 cache of keys and values, as bench has; llama.cpp's default is float16."""
    return llama_cpp.Llama(
        str(path), n_ctx=1024, n_gpu_layers=0, logits_all=True, type_k=F32.value, type_v=F32.value, verbose=False,
    )


def write_dequantized(path: Path, to: Path) -> None:
    """The same file with all its tensors in float32."""
    source = gguf.GGUFReader(path)
    architecture = source.get_field("general.architecture").contents()
    writer = gguf.GGUFWriter(to, architecture)
    for field in source.fields.values():
        if not field.name.startswith("GGUF.") and field.name not in ("general.architecture", "general.file_type"):
            kind = field.types[0]
            element = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, sub_type=element)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for tensor in source.tensors:
        writer.add_tensor_info(tensor.name, tensor.shape[::-1].tolist(), np.dtype(np.float32), tensor.n_elements * 4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in source.tensors:
        shape = tensor.shape[::-1].tolist()
        writer.write_tensor_data(gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape))
    writer.close()


def off(a: Scored, b: Scored) -> str:
    """Mean and largest difference."""
    differences = np.abs(a.log_probs - b.log_probs)
    return f"{differences.mean():.2g} | {differences.max():.2g}"


def compare(bench: Path, path: Path, dequantized: Path) -> tuple[list[str], list[str]]:
    """Rows of the table of differences, and of the table of the positions where the two engines differ most."""
    differences, worst = [], []
    stored, exact = open_in_llama_cpp(path), open_in_llama_cpp(dequantized)
    for language, name in TEXTS:
        text = Path(__file__).with_name(name)
        ours, theirs = with_bench(bench, path, text), with_llama_cpp(stored, text)
        ours_exact, theirs_exact = with_bench(bench, dequantized, text), with_llama_cpp(exact, text)
        if any(other.ids != ours.ids for other in (theirs, ours_exact, theirs_exact)):
            sys.exit(f"{path.name}: the two engines tokenize {name} differently")
        label = f"{path.stem} | {language}"
        differences.append(
            f"| {label} | {len(ours.ids)} | {off(ours_exact, theirs_exact)} | {off(ours, theirs)} "
            f"| {off(ours, theirs_exact)} | {off(theirs, theirs_exact)} |"
        )
        at = int(np.abs(ours.log_probs - theirs.log_probs).argmax())
        token = stored.detokenize([ours.ids[at + 1]]).decode(errors="replace")
        values = " | ".join(f"{scored.log_probs[at]:.4f}" for scored in (ours, theirs, ours_exact, theirs_exact))
        worst.append(f"| {label} | {at + 1} | {ours.ids[at + 1]} `{token}` | {values} |")
    return differences, worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path, help="the program")
    parser.add_argument("models", type=Path, nargs="+", help="GGUF files")
    arguments = parser.parse_args()
    differences, worst = [], []
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.models:
            dequantized = Path(folder) / "dequantized.gguf"
            write_dequantized(path, dequantized)
            for table, rows in zip((differences, worst), compare(arguments.bench.resolve(), path, dequantized)):
                table.extend(rows)
    print(f"llama-cpp-python {llama_cpp.__version__}; differences of log-probabilities in nats\n")
    print("| file | text | tokens | float32 copy: bench − llama.cpp, mean | max | as stored: bench − llama.cpp, mean "
          "| max | bench − float32, mean | max | llama.cpp − float32, mean | max |")
    print("|---|---|--:|" + "--:|" * 8)
    print("\n".join(differences))
    print("\nWhere the two differ most as stored:\n")
    print("| file | text | position | token | bench | llama.cpp | bench, float32 | llama.cpp, float32 |")
    print("|---|---|--:|---|" + "--:|" * 4)
    print("\n".join(worst))


if __name__ == "__main__":
    main()
