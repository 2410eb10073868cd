// Rows of blocks of any type, which are multiplied in eight bits.
#pragma once

#include "group.cuh"

template <typename Block> struct Blocks {
    static __device__ const uint8_t *row(const uint8_t *bytes, uint32_t columns, uint32_t row) {
        return bytes + uint64_t{Block::BYTES} * (columns / Block::WEIGHTS) * row;
    }

    static __device__ float weight(const uint8_t *row, uint32_t at) {
        const int wanted = at % Block::WEIGHTS / 32;
        const int i = at % 32;
        float weight = 0.0f;
        for (int index = 0; index < Block::WEIGHTS / 32 / Block::AT_ONCE; index++) {
            Group groups[Block::AT_ONCE];
            Block::unpack(row + uint64_t{Block::BYTES} * (at / Block::WEIGHTS), index, groups);
            for (int which = 0; which < Block::AT_ONCE; which++) {
                // By constants alone, so that the words stay in registers.
                uint32_t word = 0;
                for (int j = 0; j < 8; j++) {
                    word = j == i / 4 ? groups[which].quants[j] : word;
                }
                const float quant = static_cast<float>(static_cast<int8_t>(word >> 8 * (i % 4)));
                const Group &group = groups[which];
                if (Block::group(index, which) == wanted) {
                    weight = i < 16 ? group.scales[0] * quant - group.mins[0] : group.scales[1] * quant - group.mins[1];
                }
            }
        }
        return weight;
    }

    // The product of a group with the numbers that it meets.
    static __device__ float dot(const Group &group, const Quantized &x, uint32_t at) {
        const int4 *quants = reinterpret_cast<const int4 *>(x.quants) + 2 * at;
        const int4 low = quants[0];
        const int4 high = quants[1];
        const float2 sums = reinterpret_cast<const float2 *>(x.sums)[at];
        int first = __dp4a(static_cast<int>(group.quants[0]), low.x, 0);
        first = __dp4a(static_cast<int>(group.quants[1]), low.y, first);
        first = __dp4a(static_cast<int>(group.quants[2]), low.z, first);
        first = __dp4a(static_cast<int>(group.quants[3]), low.w, first);
        int second = __dp4a(static_cast<int>(group.quants[4]), high.x, 0);
        second = __dp4a(static_cast<int>(group.quants[5]), high.y, second);
        second = __dp4a(static_cast<int>(group.quants[6]), high.z, second);
        second = __dp4a(static_cast<int>(group.quants[7]), high.w, second);
        const float products = group.scales[0] * static_cast<float>(first) + group.scales[1] * static_cast<float>(second);
        return x.scales[at] * products - (group.mins[0] * sums.x + group.mins[1] * sums.y);
    }

    // The products of two rows with the same numbers, each lane's part of them.
    static __device__ void dots(const uint8_t *first, const uint8_t *second, uint32_t columns, const float *,
                                const Quantized &x, float sums[2]) {
        const uint8_t *rows[2] = {first, second};
        sums[0] = sums[1] = 0.0f;
        constexpr uint32_t GROUPS = Block::WEIGHTS / 32;
        constexpr uint32_t UNITS = GROUPS / Block::AT_ONCE;
        // Four groups under way.
#pragma unroll(2 / Block::AT_ONCE)
        for (uint32_t at = lane(); at < columns / 32 / Block::AT_ONCE; at += WARP) {
            const uint32_t block = at / UNITS;
            const int index = at % UNITS;
#pragma unroll
            for (int row = 0; row < 2; row++) {
                Group groups[Block::AT_ONCE];
                Block::unpack(rows[row] + uint64_t{Block::BYTES} * block, index, groups);
#pragma unroll
                for (int which = 0; which < Block::AT_ONCE; which++) {
                    sums[row] += dot(groups[which], x, block * GROUPS + Block::group(index, which));
                }
            }
        }
    }
};
