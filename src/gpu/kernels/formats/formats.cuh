// The types of weights: where rows lie, single weights, and products of rows. The only place that chooses by type.
#pragma once

#include "dense.cuh"
#include "q2_k.cuh"
#include "q3_k.cuh"
#include "q4_0.cuh"
#include "q4_1.cuh"
#include "q4_k.cuh"
#include "q5_0.cuh"
#include "q5_1.cuh"
#include "q5_k.cuh"
#include "q6_k.cuh"
#include "q8_0.cuh"

// Calls `use` with a block of the type, for its type alone.
template <typename Use> __device__ void with_block(uint32_t kind, Use use) {
    switch (kind) {
    case KIND_Q4_0: return use(BlockQ4_0());
    case KIND_Q4_1: return use(BlockQ4_1());
    case KIND_Q5_0: return use(BlockQ5_0());
    case KIND_Q5_1: return use(BlockQ5_1());
    case KIND_Q8_0: return use(BlockQ8_0());
    case KIND_Q2K: return use(BlockQ2K());
    case KIND_Q3K: return use(BlockQ3K());
    case KIND_Q4K: return use(BlockQ4K());
    case KIND_Q5K: return use(BlockQ5K());
    default: return use(BlockQ6K());
    }
}

__device__ inline const uint8_t *row_of(const uint8_t *bytes, uint32_t kind, uint32_t columns, uint32_t row) {
    uint64_t size = 0;
    switch (kind) {
    case KIND_F32: size = uint64_t{4} * columns; break;
    case KIND_F16:
    case KIND_BF16: size = uint64_t{2} * columns; break;
    default: with_block(kind, [&](auto block) {
        using Block = decltype(block);
        size = uint64_t{Block::BYTES} * (columns / Block::WEIGHTS);
    });
    }
    return bytes + size * row;
}

__device__ inline float weight_of(const uint8_t *row, uint32_t kind, uint32_t at) {
    switch (kind) {
    case KIND_F32: return reinterpret_cast<const float *>(row)[at];
    case KIND_F16: return number(reinterpret_cast<const F16 *>(row)[at]);
    case KIND_BF16: return number(reinterpret_cast<const Bf16 *>(row)[at]);
    }
    float weight = 0.0f;
    with_block(kind, [&](auto block) {
        using Block = decltype(block);
        Group group;
        Block::unpack(row + Block::BYTES * (at / Block::WEIGHTS), at % Block::WEIGHTS / 32, group);
        const int i = at % 32;
        uint32_t word = 0;
        // By constants alone, so that the words stay in registers.
        for (int j = 0; j < 8; j++) {
            word = j == i / 4 ? group.quants[j] : word;
        }
        const float quant = static_cast<float>(static_cast<int8_t>(word >> 8 * (i % 4)));
        weight = i < 16 ? group.scales[0] * quant - group.mins[0] : group.scales[1] * quant - group.mins[1];
    });
    return weight;
}

// The products of two rows with the same numbers, each lane's part of them.
template <typename Block> __device__ void block_dots(const uint8_t *first, const uint8_t *second, uint32_t columns,
                                                      const Quantized &x, float sums[2]) {
    const uint8_t *rows[2] = {first, second};
    sums[0] = sums[1] = 0.0f;
    constexpr uint32_t GROUPS = Block::WEIGHTS / 32;
#pragma unroll 2
    for (uint32_t at = lane(); at < columns / 32; at += WARP) {
        const int4 *quants = reinterpret_cast<const int4 *>(x.quants) + 2 * at;
        const int4 low = quants[0];
        const int4 high = quants[1];
        const float scale = x.scales[at];
        const float2 totals = reinterpret_cast<const float2 *>(x.sums)[at];
        for (int row = 0; row < 2; row++) {
            Group group;
            Block::unpack(rows[row] + uint64_t{Block::BYTES} * (at / GROUPS), at % GROUPS, group);
            int dot = __dp4a(static_cast<int>(group.quants[0]), low.x, 0);
            dot = __dp4a(static_cast<int>(group.quants[1]), low.y, dot);
            dot = __dp4a(static_cast<int>(group.quants[2]), low.z, dot);
            dot = __dp4a(static_cast<int>(group.quants[3]), low.w, dot);
            int next = __dp4a(static_cast<int>(group.quants[4]), high.x, 0);
            next = __dp4a(static_cast<int>(group.quants[5]), high.y, next);
            next = __dp4a(static_cast<int>(group.quants[6]), high.z, next);
            next = __dp4a(static_cast<int>(group.quants[7]), high.w, next);
            const float products = group.scales[0] * static_cast<float>(dot) + group.scales[1] * static_cast<float>(next);
            sums[row] += scale * products - (group.mins[0] * totals.x + group.mins[1] * totals.y);
        }
    }
}

__device__ inline void dots(uint32_t kind, const uint8_t *first, const uint8_t *second, uint32_t columns, const float *x,
                            const Quantized &quantized, float sums[2]) {
    switch (kind) {
    case KIND_F32: return dense_dots<float>(first, second, columns, x, sums);
    case KIND_F16: return dense_dots<F16>(first, second, columns, x, sums);
    case KIND_BF16: return dense_dots<Bf16>(first, second, columns, x, sums);
    default: with_block(kind, [&](auto block) {
        block_dots<decltype(block)>(first, second, columns, quantized, sums);
    });
    }
}
