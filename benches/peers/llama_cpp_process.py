"""llama.cpp on the same commands as benches/engine.rs, with the settings of its own llama-bench.

Those are the library's defaults: batches of 2,048 tokens in parts of 512, keys and values in float16, flash attention
where the device has it, the file mapped. The loops are those of `test_prompt` and `test_gen` in
tools/llama-bench/llama-bench.cpp. Python and NumPy take some 40 MB of this process's memory.
"""

import ctypes
import random
import sys
import time

import llama_cpp

BATCH = 2048
MICRO_BATCH = 512


class Model:
    def __init__(self, path: str, room: int, threads: int) -> None:
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 0
        parameters.load_mode = llama_cpp.LLAMA_LOAD_MODE_MMAP
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), parameters)
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}")
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = room
        parameters.n_batch, parameters.n_ubatch = BATCH, MICRO_BATCH
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        if not self.context:
            sys.exit(f"llama.cpp cannot make a context of {room} tokens")
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        # The first pass is part of loading on both sides.
        self.append(self.tokens([0]))
        self.clear()

    def clear(self) -> None:
        llama_cpp.llama_memory_clear(self.memory, True)

    def tokens(self, ids: list[int]) -> ctypes.Array:
        return (llama_cpp.llama_token * len(ids))(*ids)

    def draw(self, tokens: int) -> list[int]:
        return [random.randrange(self.vocabulary) for _ in range(tokens)]

    def append(self, tokens: ctypes.Array) -> None:
        if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(tokens, len(tokens))):
            sys.exit("llama.cpp cannot decode")
        llama_cpp.llama_synchronize(self.context)

    def timed(self, batches: list[ctypes.Array]) -> float:
        start = time.perf_counter()
        for batch in batches:
            self.append(batch)
        return time.perf_counter() - start

    def prefill(self, count: int) -> float:
        ids = self.draw(count)
        return self.timed([self.tokens(ids[at:at + BATCH]) for at in range(0, count, BATCH)])

    def decode(self, count: int) -> float:
        return self.timed([self.tokens([id]) for id in self.draw(count)])

    def logits(self, ids: list[int]) -> list[float]:
        self.append(self.tokens(ids))
        return llama_cpp.llama_get_logits_ith(self.context, -1)[:self.vocabulary]


@llama_cpp.llama_log_callback
def silent(level, text, data) -> None:
    pass


def settings(threads: int) -> str:
    kernels = llama_cpp.llama_print_system_info().decode().strip(" |\n")
    batches = f"batches of {BATCH} in {MICRO_BATCH}, cache in float16, flash attention where it has it"
    return f"llama-cpp-python {llama_cpp.__version__}; {threads} threads; {batches}; {kernels}"


def serve(threads: int) -> None:
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    random.seed(1)
    model = None
    for line in sys.stdin:
        command, _, arguments = line.strip().partition(" ")
        match command:
            case "load":
                room, _, path = arguments.partition(" ")
                start = time.perf_counter()
                model = Model(path, int(room), threads)
                answer = time.perf_counter() - start
            case "settings":
                answer = settings(threads)
            case "clear":
                model.clear()
                answer = "done"
            case "prefill":
                answer = model.prefill(int(arguments))
            case "decode":
                answer = model.decode(int(arguments))
            case "logits":
                answer = " ".join(map(str, model.logits([int(id) for id in arguments.split()])))
            case _:
                sys.exit(f"no command `{command}`")
        print(answer, flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
