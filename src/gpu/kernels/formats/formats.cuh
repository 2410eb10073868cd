// The types of weights. The only place that chooses by type.
#pragma once

#include "blocks.cuh"
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

// Calls `use` with the rows of a type, for their type alone.
template <typename Use> __device__ void with_format(uint32_t kind, Use use) {
    switch (kind) {
    case KIND_F32: return use(Numbers<float>());
    case KIND_F16: return use(Numbers<F16>());
    case KIND_BF16: return use(Numbers<Bf16>());
    case KIND_Q4_0: return use(Blocks<BlockQ4_0>());
    case KIND_Q4_1: return use(Blocks<BlockQ4_1>());
    case KIND_Q5_0: return use(Blocks<BlockQ5_0>());
    case KIND_Q5_1: return use(Blocks<BlockQ5_1>());
    case KIND_Q8_0: return use(Blocks<BlockQ8_0>());
    case KIND_Q2K: return use(Blocks<BlockQ2K>());
    case KIND_Q3K: return use(Blocks<BlockQ3K>());
    case KIND_Q4K: return use(Blocks<BlockQ4K>());
    case KIND_Q5K: return use(Blocks<BlockQ5K>());
    default: return use(Blocks<BlockQ6K>());
    }
}

// The kernels of a type, each with no more registers than it needs: with all types in one there would be room for a fifth of
// the warps.
#define FOR_EACH_FORMAT(each) \
    each(f32, Numbers<float>) each(f16, Numbers<F16>) each(bf16, Numbers<Bf16>) \
    each(q4_0, Blocks<BlockQ4_0>) each(q4_1, Blocks<BlockQ4_1>) each(q5_0, Blocks<BlockQ5_0>) each(q5_1, Blocks<BlockQ5_1>) \
    each(q8_0, Blocks<BlockQ8_0>) each(q2_k, Blocks<BlockQ2K>) each(q3_k, Blocks<BlockQ3K>) each(q4_k, Blocks<BlockQ4K>) \
    each(q5_k, Blocks<BlockQ5K>) each(q6_k, Blocks<BlockQ6K>)
