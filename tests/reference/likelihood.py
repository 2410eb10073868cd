"""Bits per byte and multiple choice of real GGUF files, against llama.cpp.

    pip install llama-cpp-python gguf pyyaml          # compiles llama.cpp
    pip download --no-deps lm-eval==0.4.13            # the questions; they are not ours, and nothing of them is kept
    cargo build --release
    python tests/reference/likelihood.py target/release/bench lm_eval-0.4.13-py3-none-any.whl MODEL.gguf...

The texts are the shipped ones, documents/. The questions are those of KMMLU's form in the package: 45 subjects with five
worked examples each, whose answer is the last (A) to (D) of the worked text. Both engines are asked of the same file, as stored;
with --float32, llama.cpp also of a copy whose weights are dequantized to float32, where nothing is rounded but float32
itself. The prompt is built here by the harness's template, not by bench.
"""

import argparse
import hashlib
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import llama_cpp
import numpy as np
import yaml

from against_llama_cpp import F32, write_dequantized

DOCUMENTS = Path(__file__).resolve().parents[2] / "documents"
WHEEL_SHA256 = "5daaa1973bf874005f64f28d3834b875f6886f0d6475878e6a6c821994a5286a"
CONTEXT = 2048
LETTERS = "ABCD"


class Peer:
    """llama.cpp with a cache of keys and values in float32, as beside float32 weights."""

    def __init__(self, path: Path, threads: int, every: bool) -> None:
        """With the predictions after every token, or after the last one only."""
        self.model = llama_cpp.Llama(
            str(path), n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, n_gpu_layers=0, logits_all=every,
            type_k=F32.value, type_v=F32.value, verbose=False,
        )
        self.bos = bool(llama_cpp.llama_vocab_get_add_bos(llama_cpp.llama_model_get_vocab(self.model._model.model)))

    def ids(self, text: str) -> list[int]:
        return self.model.tokenize(text.encode(), add_bos=True, special=False)

    def bits_per_byte(self, text: str) -> tuple[float, int]:
        """Bits, and the bytes that they are of. Without a token before the text, that is all but the first character."""
        ids = self.ids(text)
        assert len(ids) <= CONTEXT, "the shipped texts fit a window"
        first = 1
        unscored = 0
        if not self.bos:
            # What the first tokens make, until that is whole characters.
            while True:
                made = self.model.detokenize(ids[:first])
                try:
                    made.decode()
                except UnicodeDecodeError:
                    first += 1
                    continue
                unscored = len(made)
                break
        self.model.reset()
        self.model.eval(ids)
        rows = self.model.scores[: len(ids)]
        nll = -sum(log_prob(rows[at - 1], ids[at]) for at in range(first, len(ids)))
        return nll / math.log(2), len(text.encode()) - unscored

    def letters(self, prompt: str) -> list[float]:
        context = self.ids(prompt)
        continuations = [self.ids(f"{prompt} {letter}")[len(context):] for letter in LETTERS]
        assert all(len(ids) == 1 for ids in continuations), "a letter is one token"
        self.model.reset()
        self.model.eval(context)
        row = llama_cpp.llama_get_logits_ith(self.model._ctx.ctx, -1)
        last = np.ctypeslib.as_array(row, shape=(self.model.n_vocab(),))
        return [log_prob(last, ids[0]) for ids in continuations]


def log_prob(logits: np.ndarray, id: int) -> float:
    logits = logits.astype(np.float64)
    highest = logits.max()
    return float(logits[id] - highest - np.log(np.exp(logits - highest).sum()))


def questions_of(wheel: Path) -> list[dict]:
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        sys.exit(f"{wheel} is not lm-eval 0.4.13 as the figures were made with")
    found = []
    with zipfile.ZipFile(wheel) as package:
        names = [name for name in package.namelist() if "/kmmlu/cot_hard/kmmlu_cot_hard_" in name]
        for name in sorted(names):
            for sample in yaml.load(package.read(name), yaml.BaseLoader)["fewshot_config"]["samples"]:
                answers = re.findall(r"정답은\s*\(?([A-D])", sample["target"]) or re.findall(r"([A-D])", sample["target"])
                found.append({
                    "question": sample["question"].removeprefix("질문:").strip(),
                    **{letter: str(sample[letter]) for letter in LETTERS},
                    "answer": answers[-1],
                    "category": Path(name).stem.removeprefix("kmmlu_cot_hard_"),
                })
    return found


def prompt_of(question: dict) -> str:
    """`doc_to_text` of the harness's kmmlu tasks."""
    lines = "".join(f"{letter}. {question[letter]}\n" for letter in LETTERS)
    return f"{question['question'].strip()}\n{lines}정답："


def bench(program: Path, *arguments: object) -> dict:
    command = [str(program), "score", *map(str, arguments), "--format", "json", "--device", "cpu"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def texts_of(program: Path, path: Path, peers: list[Peer]) -> list[str]:
    ours = bench(program, path)["languages"]
    rows = []
    for language in ("ko", "en"):
        documents = [path.read_text(encoding="utf-8") for path in sorted((DOCUMENTS / language).glob("*.txt"))]
        own = ours[language]["bits_per_byte"]
        cells = []
        for peer in peers:
            scored = [peer.bits_per_byte(text) for text in documents]
            theirs = sum(bits for bits, _ in scored) / sum(bytes for _, bytes in scored)
            if sum(bytes for _, bytes in scored) != ours[language]["bytes"]:
                sys.exit(f"bytes differ: {ours[language]['bytes']} and {sum(bytes for _, bytes in scored)}")
            cells.append(f"{theirs:.4f} | {100 * (own / theirs - 1):+.3f} %")
        rows.append(f"| {path.stem} | {language} | {ours[language]['bytes']} | {own:.4f} | {' | '.join(cells)} |")
    return rows


def choices_of(program: Path, path: Path, questions: list[dict], peers: list[Peer], folder: Path) -> str:
    file = folder / "questions.jsonl"
    lines = (json.dumps(question, ensure_ascii=False) for question in questions)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    scored = bench(program, path, "--choices", file, "--task", "kmmlu")
    ours = [question["log_probs"] for question in scored["questions"]]
    picks = [question["picks"]["raw"] for question in scored["questions"]]
    cells = []
    for peer in peers:
        theirs = [peer.letters(prompt_of(question)) for question in questions]
        same = sum(int(np.argmax(row)) == pick for row, pick in zip(theirs, picks))
        apart = np.abs(np.array(ours) - np.array(theirs))
        cells.append(f"{same} of {len(questions)} | {apart.mean():.3g}")
    accuracy = scored["accuracy"]
    return f"| {path.stem} | {accuracy['passed']} of {accuracy['of']} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path, help="the program")
    parser.add_argument("wheel", type=Path, help="the package lm-eval 0.4.13")
    parser.add_argument("models", type=Path, nargs="+", help="GGUF files")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of llama.cpp")
    parser.add_argument("--float32", action="store_true", help="ask llama.cpp of a dequantized copy too")
    arguments = parser.parse_args()
    program = arguments.bench.resolve()
    questions = questions_of(arguments.wheel)
    copies = ["", ", float32"] if arguments.float32 else [""]
    print(f"llama-cpp-python {llama_cpp.__version__}\n")
    heads = " | ".join(f"llama.cpp{copy}, bits per byte | difference" for copy in copies)
    print(f"| file | language | bytes | bench, bits per byte | {heads} |")
    print("|---|---|--:|--:|" + "--:|--:|" * len(copies))
    choices = []
    for path in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            files = [path]
            if arguments.float32:
                files.append(Path(folder) / "dequantized.gguf")
                write_dequantized(path, files[-1])
            peers = [Peer(file, arguments.threads, every=True) for file in files]
            print("\n".join(texts_of(program, path, peers)), flush=True)
            peers = [Peer(file, arguments.threads, every=False) for file in files]
            choices.append(choices_of(program, path, questions, peers, Path(folder)))
    heads = " | ".join(f"picked alike by llama.cpp{copy} | mean difference, nats" for copy in copies)
    print(f"\n| file | right | {heads} |")
    print("|---|--:|" + "--:|--:|" * len(copies))
    print("\n".join(choices))


if __name__ == "__main__":
    main()
