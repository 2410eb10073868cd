// Tiles of 16 x 16 numbers in float16, which tensor cores multiply.
//
// A warp holds a tile in registers, two numbers in each, as the instruction mma.m16n8k16 has them (PTX ISA, "Matrix Fragments
// for mma.m16n8k16"): with `row = lane / 4` and `column = 2 * (lane % 4)`, a left tile's registers begin at (row, column),
// (row + 8, column), (row, column + 8) and (row + 8, column + 8); a result has two numbers from (row, column) on and two from
// (row + 8, column) on. Where the compiler's target has no such instruction, shuffles and plain sums do the same.
#pragma once

#include "kernel.cuh"

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define TENSOR_CORES
#endif

constexpr uint32_t TILE = 16;

// A head's numbers with zeros up to whole tiles.
__device__ inline uint32_t padded(uint32_t dim) { return (dim + TILE - 1) / TILE * TILE; }

// Two numbers in a register, the first in the lower half.
__device__ inline uint32_t pack(float first, float second) {
    const __half2 pair = __floats2half2_rn(first, second);
    return reinterpret_cast<const uint32_t &>(pair);
}

struct Tile {
    uint32_t pairs[4];
};

// The tile at `place` of rows that lie `stride` numbers apart in shared memory, as the right side of a product. Its first two
// registers give the first 8 columns of the result, the others the rest.

// Of a matrix whose rows are the columns of the right side: its transpose is multiplied with.
__device__ inline Tile transposed_tile(const uint16_t *place, uint32_t stride) {
    Tile tile;
#ifdef TENSOR_CORES
    place += (lane() % 8 + lane() / 16 * 8) * stride + lane() / 8 % 2 * 8;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(tile.pairs[0]), "=r"(tile.pairs[1]), "=r"(tile.pairs[2]), "=r"(tile.pairs[3])
                 : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(place)))
                 : "memory");
#else
    for (uint32_t i = 0; i < 4; i++) {
        const uint16_t *two = place + (lane() / 4 + i / 2 * 8) * stride + lane() % 4 * 2 + i % 2 * 8;
        tile.pairs[i] = two[0] | static_cast<uint32_t>(two[1]) << 16;
    }
#endif
    return tile;
}

// Of a matrix as it is multiplied with.
__device__ inline Tile plain_tile(const uint16_t *place, uint32_t stride) {
    Tile tile;
#ifdef TENSOR_CORES
    place += (lane() % 8 + lane() / 8 % 2 * 8) * stride + lane() / 16 * 8;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(tile.pairs[0]), "=r"(tile.pairs[1]), "=r"(tile.pairs[2]), "=r"(tile.pairs[3])
                 : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(place)))
                 : "memory");
#else
    for (uint32_t i = 0; i < 4; i++) {
        const uint16_t *two = place + (lane() % 4 * 2 + i % 2 * 8) * stride + lane() / 4 + i / 2 * 8;
        tile.pairs[i] = two[0] | static_cast<uint32_t>(two[stride]) << 16;
    }
#endif
    return tile;
}

// Adds to a result of 8 columns.
__device__ inline void multiply(float (&sum)[4], const Tile &left, uint32_t low, uint32_t high) {
#ifdef TENSOR_CORES
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(left.pairs[0]), "r"(left.pairs[1]), "r"(left.pairs[2]), "r"(left.pairs[3]), "r"(low), "r"(high));
#else
    const auto one_of = [](uint32_t pair, int which) { return number(F16{static_cast<uint16_t>(pair >> 16 * which)}); };
    const int row = lane() / 4;
    const int column = lane() % 4 * 2;
    for (int from = 0; from < 8; from++) {
        // The lanes that have two numbers of the row, and of each of the two columns.
        const int of_row = row * 4 + from % 4;
        const int of_column = column * 4 + from % 4;
        const uint32_t first = __shfl_sync(ALL_LANES, left.pairs[from / 4 * 2], of_row);
        const uint32_t second = __shfl_sync(ALL_LANES, left.pairs[from / 4 * 2 + 1], of_row);
        const uint32_t right = from < 4 ? low : high;
        const uint32_t columns[2] = {__shfl_sync(ALL_LANES, right, of_column), __shfl_sync(ALL_LANES, right, of_column + 4)};
        for (int i = 0; i < 2; i++) {
            for (int which = 0; which < 2; which++) {
                const float x = one_of(columns[i], which);
                sum[i] = fmaf(one_of(first, which), x, sum[i]);
                sum[2 + i] = fmaf(one_of(second, which), x, sum[2 + i]);
            }
        }
    }
#endif
}

// Adds the product of two tiles to a result of 16 columns.
__device__ inline void multiply(float (&first)[4], float (&second)[4], const Tile &left, const Tile &right) {
    multiply(first, left, right.pairs[0], right.pairs[1]);
    multiply(second, left, right.pairs[2], right.pairs[3]);
}
