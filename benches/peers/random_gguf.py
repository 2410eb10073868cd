"""GGUF files of real shapes with random weights: as large and as much work as the published ones, made in seconds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFWriter, LlamaFileType, TokenType
from gguf.constants import GGML_QUANT_SIZES

# Standard deviation of the weights: logits stay within what float16 and 8-bit blocks of activations can hold.
SIGMA = 0.02


@dataclass(frozen=True)
class Shape:
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    ffn: int
    vocabulary: int
    rope_base: float


# https://huggingface.co/TinyLlama/TinyLlama-1.1B-Chat-v1.0/blob/main/config.json
TINYLLAMA = Shape(22, 2048, 32, 4, 5632, 32000, 1e4)
# https://huggingface.co/mistralai/Mistral-7B-v0.3/blob/main/config.json
MISTRAL_7B = Shape(32, 4096, 32, 8, 14336, 32768, 1e6)

FILES = {
    "tinyllama-1.1b-q4_k_m": (TINYLLAMA, LlamaFileType.MOSTLY_Q4_K_M),
    "tinyllama-1.1b-q8_0": (TINYLLAMA, LlamaFileType.MOSTLY_Q8_0),
    "tinyllama-1.1b-bf16": (TINYLLAMA, LlamaFileType.MOSTLY_BF16),
    "mistral-7b-q4_k_m": (MISTRAL_7B, LlamaFileType.MOSTLY_Q4_K_M),
}


def make(name: str, folder: Path) -> Path:
    """The file of this name, made if it is not in the folder yet."""
    path = folder / f"{name}.gguf"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        write(unfinished, *FILES[name])
        unfinished.rename(path)
    return path


def write(path: Path, shape: Shape, file_type: LlamaFileType) -> None:
    writer = GGUFWriter(path, "llama")
    writer.add_file_type(file_type)
    writer.add_block_count(shape.layers)
    writer.add_context_length(32768)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.hidden // shape.heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape.vocabulary)
    add_tokenizer(writer, shape.vocabulary)
    tensors = list(tensors_of(shape, file_type))
    for tensor in tensors:
        writer.add_tensor_info(tensor.name, tensor.byte_shape, np.dtype(np.uint8), tensor.bytes, tensor.kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    random = np.random.Generator(np.random.SFC64(1))
    for tensor in tensors:
        writer.write_tensor_data(tensor.random_bytes(random))
    writer.close()


def add_tokenizer(writer: GGUFWriter, vocabulary: int) -> None:
    """A SentencePiece vocabulary of made-up words, which no measure uses: llama.cpp opens no such file without one."""
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    words = [f"\N{LOWER ONE EIGHTH BLOCK}w{number}" for number in range(vocabulary - len(special))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(special + words)
    writer.add_token_scores([0.0] * len(special) + [-float(number) for number in range(len(words))])
    kinds = [TokenType.UNKNOWN] + [TokenType.CONTROL] * 2 + [TokenType.BYTE] * 256
    writer.add_token_types(kinds + [TokenType.NORMAL] * len(words))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


@dataclass(frozen=True)
class Tensor:
    name: str
    # Rows, if it is a matrix, and columns.
    shape: tuple[int, ...]
    kind: Kind

    @property
    def byte_shape(self) -> tuple[int, ...]:
        numbers, size = GGML_QUANT_SIZES[self.kind]
        return (*self.shape[:-1], self.shape[-1] // numbers * size)

    @property
    def bytes(self) -> int:
        return int(np.prod(self.byte_shape))

    def random_bytes(self, random: np.random.Generator) -> np.ndarray:
        """Weights of mean 0: random bits, but for what scales them."""
        if self.kind == Kind.F32:
            return np.ones(self.shape, np.float32).view(np.uint8)
        data = np.frombuffer(bytearray(random.bytes(self.bytes)), np.uint8)
        if self.kind == Kind.BF16:
            # Sign, fraction and the lowest bit of the exponent are random: magnitudes from 2^-7 to 2^-5.
            numbers = data.view(np.uint16)
            numbers &= 0x80FF
            numbers |= 0x3C00
        else:
            blocks = data.reshape(-1, GGML_QUANT_SIZES[self.kind][1])
            for at, scale in SCALES[self.kind]:
                blocks[:, at:at + 2] = np.array([scale], np.float16).view(np.uint8)
        return data.reshape(self.byte_shape)


# Where float16 scales lie in a block (`ggml-common.h`), and what makes random bits around them weights of about SIGMA.
SCALES = {
    # d * scale * (0..15) - dmin * minimum, scale and minimum in 0..63: dmin is 7.5 d, so that the mean is 0.
    Kind.Q4_K: [(0, SIGMA / 222), (2, 7.5 * SIGMA / 222)],
    # d * scale * (-32..31), scale in -128..127.
    Kind.Q6_K: [(208, SIGMA / (74 * 18.5))],
    # d * (-128..127).
    Kind.Q8_0: [(0, SIGMA / 74)],
}


def tensors_of(shape: Shape, file_type: LlamaFileType):
    plain = {
        LlamaFileType.MOSTLY_Q4_K_M: Kind.Q4_K,
        LlamaFileType.MOSTLY_Q8_0: Kind.Q8_0,
        LlamaFileType.MOSTLY_BF16: Kind.BF16,
    }[file_type]
    # What Q4_K_M holds in more bits: `llama_tensor_get_type` in llama.cpp's src/llama-quant.cpp.
    finer = Kind.Q6_K if file_type == LlamaFileType.MOSTLY_Q4_K_M else plain
    hidden, kv = shape.hidden, shape.hidden // shape.heads * shape.kv_heads

    yield Tensor("token_embd.weight", (shape.vocabulary, hidden), plain)
    for layer in range(shape.layers):
        here = finer if use_more_bits(layer, shape.layers) else plain
        parts = {
            "attn_norm": ((hidden,), Kind.F32),
            "attn_q": ((hidden, hidden), plain),
            "attn_k": ((kv, hidden), plain),
            "attn_v": ((kv, hidden), here),
            "attn_output": ((hidden, hidden), plain),
            "ffn_norm": ((hidden,), Kind.F32),
            "ffn_gate": ((shape.ffn, hidden), plain),
            "ffn_up": ((shape.ffn, hidden), plain),
            "ffn_down": ((hidden, shape.ffn), here),
        }
        for name, (size, kind) in parts.items():
            yield Tensor(f"blk.{layer}.{name}.weight", size, kind)
    yield Tensor("output_norm.weight", (hidden,), Kind.F32)
    yield Tensor("output.weight", (shape.vocabulary, hidden), finer)


def use_more_bits(layer: int, layers: int) -> bool:
    """The first and the last eighth of the layers, and each third between: the function of this name there."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
