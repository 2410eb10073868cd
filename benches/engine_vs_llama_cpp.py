"""This program's engine beside llama.cpp on this machine's processor: speed, load time and memory, by the same work.

    pip install gguf
    CMAKE_ARGS=-DGGML_NATIVE=ON pip install --no-binary llama-cpp-python llama-cpp-python   # for this machine
    python benches/engine_vs_llama_cpp.py                     # makes four files of random weights, 8.4 GB in all
    python benches/engine_vs_llama_cpp.py --make tinyllama-1.1b-q4_k_m --rounds 3
    python benches/engine_vs_llama_cpp.py MODEL.gguf... --json results.json

Each engine is a process of its own that waits for commands (benches/engine.rs, benches/peers/llama_cpp_process.py). The
two take turns within each round, the other one first in the next, and what counts is the ratio within a round: a
machine drifts, and does so for both. What is measured is what llama-bench measures: random tokens, prefill at once and
decode one by one, without sampling and tokenization. Both must first give nearly the same logits.
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np

from peers import random_gguf

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent

NAMES = ("bench", "llama.cpp")

PREFILL, DECODE, DEEP_DECODE = 512, 128, 32

# Larger than any cache.
BANDWIDTH_MIB = 1024

# Largest difference of logits, root mean square, over their standard deviation. Both engines round activations to 8
# bits, each in its own way; other work gives about 1.4, as any two independent lists of numbers do.
SAME_WORK = 0.5

# Time for threads that spin in wait of more work to give up, in seconds.
SETTLE = 0.1


class Engine:
    """A process that does what it is told, and nothing meanwhile."""

    def __init__(self, name: str, command: list, threads: int) -> None:
        self.name = name
        count = str(threads)
        environment = os.environ | {"RAYON_NUM_THREADS": count, "CANDLE_NUM_THREADS": count}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)

    def ask(self, command: str) -> str:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.name} ended at `{command}`")
        return answer.strip()

    def cpu_seconds(self) -> float:
        """Processor time used so far: fields 14 and 15 of man 5 proc_pid_stat, after a name that may hold spaces."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, key: str) -> float:
        """A line of man 5 proc_pid_status, in bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def busy_seconds() -> float:
    """Processor time of the whole machine: user, nice, system, irq, softirq and steal of man 5 proc_stat."""
    ticks = [int(number) for number in Path("/proc/stat").read_text().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def by_name(both: tuple | list) -> dict:
    return dict(zip(NAMES, both))


def of_both():
    """A list of values for each engine."""
    return field(default_factory=lambda: ([], []))


@dataclass
class Measure:
    """Values of both engines, by round."""

    name: str
    unit: str
    values: tuple[list[float], list[float]] = of_both()

    def add(self, engine: int, value: float) -> None:
        self.values[engine].append(value)

    def medians(self) -> list[float]:
        return [statistics.median(values) for values in self.values]

    def ratios(self) -> list[float]:
        return [ours / theirs for ours, theirs in zip(*self.values)]

    def row(self) -> str:
        ratios, medians = self.ratios(), [three_digits(value) for value in self.medians()]
        extremes = f"{min(ratios):.2f} – {max(ratios):.2f}" if len(ratios) > 1 else "—"
        return f"| {self.name}, {self.unit} | {' | '.join(medians)} | {statistics.median(ratios):.2f} | {extremes} |"

    def document(self) -> dict:
        return {"name": self.name, "unit": self.unit, **by_name(self.values), "ratios": self.ratios()}


@dataclass
class Turns(Measure):
    """Tokens that engines took turns at."""

    unit: str = "tokens/s"
    tokens: int = 0
    # Shares of the machine that neither engine used, and that the waiting one did, during the turns of both.
    others: tuple[list[float], list[float]] = of_both()
    waiting: tuple[list[float], list[float]] = of_both()

    def document(self) -> dict:
        return super().document() | {"others": by_name(self.others), "waiting": by_name(self.waiting)}


def three_digits(value: float) -> str:
    return f"{value:.{max(0, 2 - int(np.floor(np.log10(value))))}f}"


class Comparison:
    """Both engines on one file."""

    def __init__(self, file: Path, commands: list, arguments: argparse.Namespace) -> None:
        self.file, self.commands, self.arguments = file, commands, arguments
        self.room = max(PREFILL, DECODE, arguments.depth + DEEP_DECODE * arguments.rounds)
        deepest = arguments.depth + DEEP_DECODE * (arguments.rounds - 1)
        self.prefill = Turns(f"prefill of {PREFILL}", tokens=PREFILL)
        self.decode = Turns(f"decode of {DECODE}", tokens=DECODE)
        self.deep = Turns(f"decode of {DEEP_DECODE} at depth {arguments.depth:,} – {deepest:,}", tokens=DEEP_DECODE)
        self.load = Measure("load, first pass included", "s")
        self.peak = Measure("peak resident memory", "GiB")
        self.anonymous = Measure("at the end, without the mapped file", "GiB")
        self.bandwidths: list[float] = []
        matrices = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors if len(tensor.shape) == 2}
        embedding = matrices["token_embd.weight"]
        self.vocabulary = int(embedding.shape[1])
        # Of a dense model every matrix is read for each token, but the embedding only where it is the head too.
        unread = embedding.n_bytes if "output.weight" in matrices else 0
        self.read_bytes = int(sum(tensor.n_bytes for tensor in matrices.values()) - unread)

    def start(self, index: int) -> Engine:
        return Engine(NAMES[index], self.commands[index], self.arguments.threads)

    def order(self, round: int) -> list[int]:
        return [0, 1] if round % 2 == 0 else [1, 0]

    def run(self) -> None:
        warm_page_cache(self.file)
        for round in range(self.arguments.loads):
            for index in self.order(round):
                engine = self.start(index)
                self.load.add(index, float(engine.ask(f"load {self.room} {self.file}")))
                engine.close()
        engines = [self.start(index) for index in range(2)]
        for engine in engines:
            engine.ask(f"load {self.room} {self.file}")
        self.settings = [engine.ask("settings") for engine in engines]
        self.difference = self.check_same_work(engines)
        self.rounds(engines)
        for index, engine in enumerate(engines):
            self.peak.add(index, engine.memory("VmHWM") / 2**30)
            self.anonymous.add(index, engine.memory("RssAnon") / 2**30)
            engine.close()

    def check_same_work(self, engines: list[Engine]) -> float:
        """How far the logits of a prompt differ, over their standard deviation; ends the program if it is too far."""
        ids = " ".join(str(id) for id in random.Random(1).choices(range(self.vocabulary), k=16))
        ours, theirs = (np.array(engine.ask(f"logits {ids}").split(), np.float64) for engine in engines)
        if ours.shape != theirs.shape:
            sys.exit(f"{self.file.name}: {len(ours)} logits of bench, {len(theirs)} of llama.cpp")
        difference = float(np.sqrt(np.mean((ours - theirs) ** 2)) / theirs.std())
        if not difference < SAME_WORK:
            sys.exit(f"{self.file.name}: not the same work: logits differ by {difference:.2f} standard deviations")
        return difference

    def rounds(self, engines: list[Engine]) -> None:
        memory = self.start(0)
        # The first round warms up.
        for round in range(-1, self.arguments.rounds):
            for measure, command in [(self.prefill, "prefill"), (self.decode, "decode")]:
                for index in self.order(round):
                    engines[index].ask("clear")
                    self.turn(engines, index, command, measure, counts=round >= 0)
            bandwidth = float(memory.ask(f"bandwidth {BANDWIDTH_MIB}"))
            if round >= 0:
                self.bandwidths.append(bandwidth)
        memory.close()
        # Each round goes on where the one before ended: the way there takes long. Its last tokens warm up.
        for index, engine in enumerate(engines):
            engine.ask("clear")
            engine.ask(f"prefill {self.arguments.depth - DEEP_DECODE}")
            engine.ask(f"decode {DEEP_DECODE}")
        for round in range(self.arguments.rounds):
            for index in self.order(round):
                self.turn(engines, index, "decode", self.deep)

    def turn(self, engines: list[Engine], index: int, command: str, turns: Turns, counts: bool = True) -> None:
        """One engine works, the other waits; both are looked at."""
        time.sleep(SETTLE)
        active, waiting = engines[index], engines[1 - index]

        def used() -> np.ndarray:
            return np.array([time.perf_counter(), busy_seconds(), active.cpu_seconds(), waiting.cpu_seconds()])

        before = used()
        seconds = float(active.ask(f"{command} {turns.tokens}"))
        wall, busy, worked, waited = used() - before
        if counts:
            machine = wall * os.cpu_count()
            turns.add(index, turns.tokens / seconds)
            turns.others[index].append(max(0.0, busy - worked - waited) / machine)
            turns.waiting[index].append(waited / machine)

    def roofline(self) -> list[float]:
        """Share of the bandwidth that decode makes use of: the matrices are read once for each token."""
        return [
            statistics.median(
                rate * self.read_bytes / bandwidth for rate, bandwidth in zip(values, self.bandwidths)
            )
            for values in self.decode.values
        ]

    def measures(self) -> list[Measure]:
        return [self.prefill, self.decode, self.deep, self.load, self.peak, self.anonymous]

    def table(self) -> str:
        ours, theirs = (f"{100 * share:.0f} %" for share in self.roofline())
        rows = [measure.row() for measure in self.measures()]
        rows.insert(2, f"| share of the roofline in it | {ours} | {theirs} | | |")
        turns = [self.prefill, self.decode, self.deep]
        others = [share for turn in turns for shares in turn.others for share in shares]
        waiting = max(share for turn in turns for shares in turn.waiting for share in shares)
        return "\n".join([
            f"**{self.file.stem}**: {three_digits(self.read_bytes / 1e9)} GB of matrices are read for each token, and "
            f"{statistics.median(self.bandwidths) / 1e9:.1f} GB/s can be. Logits differ by {self.difference:.3f} of "
            f"their standard deviation. Other programs used {100 * statistics.median(others):.0f} % of the machine (at "
            f"most {100 * max(others):.0f} %), the waiting engine at most {100 * waiting:.1f} %. "
            f"bench: {self.settings[0]}.",
            "",
            "| | bench | llama.cpp | ratio | of the rounds |",
            "|---|--:|--:|--:|--:|",
            *rows,
        ])

    def document(self) -> dict:
        return {
            "file": self.file.name,
            "bytes": self.file.stat().st_size,
            "bytes_read_per_token": self.read_bytes,
            "bandwidth_bytes_per_second": self.bandwidths,
            "settings": by_name(self.settings),
            "logits_difference": self.difference,
            "roofline_share": by_name(self.roofline()),
            "measures": [measure.document() for measure in self.measures()],
        }


def warm_page_cache(file: Path) -> None:
    with file.open("rb", buffering=0) as opened:
        while opened.read(1 << 24):
            pass


def build() -> str:
    """The release build of benches/engine.rs."""
    command = ["cargo", "build", "--release", "--bench", "engine", "--message-format", "json-render-diagnostics"]
    output = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    return next(
        message["executable"] for message in messages
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == "engine" and message["executable"]
    )


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {os.cpu_count()} processors"


def physical_cores() -> int:
    """Processors that share no core with another one: what llama-bench uses."""
    siblings = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings")
    return len({file.read_text() for file in siblings}) or os.cpu_count()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", help="GGUF files; none and no --make: all that can be made")
    parser.add_argument("--make", action="append", choices=random_gguf.FILES, default=[], help="with random weights")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "target" / "peers", help="for files that are made")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="default: all physical cores")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loads", type=int, default=3, help="each in a process of its own")
    parser.add_argument("--depth", type=int, default=2048, help="tokens before the second decode")
    parser.add_argument("--json", type=Path, help="also write every value to this file")
    arguments = parser.parse_args()
    if arguments.depth <= DEEP_DECODE or min(arguments.rounds, arguments.loads, arguments.threads) < 1:
        parser.error(f"--depth must be more than {DEEP_DECODE}, and the other numbers at least 1")
    names = arguments.make or ([] if arguments.files else list(random_gguf.FILES))
    executable = build()
    peer = HERE / "peers" / "llama_cpp_process.py"
    commands = [[executable, "--serve"], [sys.executable, peer, str(arguments.threads)]]
    made = [random_gguf.make(name, arguments.folder) for name in names]
    done: list[Comparison] = []
    for file in [file.resolve() for file in arguments.files] + made:
        comparison = Comparison(file, commands, arguments)
        comparison.run()
        if not done:
            print(f"{processor()}; {arguments.rounds} rounds. Medians; a ratio is bench's figure over llama.cpp's in "
                  f"the same round.\nllama.cpp: {comparison.settings[1]}.\n")
        print(comparison.table(), "\n", sep="\n", flush=True)
        done.append(comparison)
        if arguments.json:
            files = [comparison.document() for comparison in done]
            document = {"processor": processor(), "threads": arguments.threads, "files": files}
            arguments.json.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
