// Functions of single numbers.
#pragma once

#include "params.cuh"

// Within plus and minus `cap`; as it is where that is 0.
__device__ inline float squashed(float cap, float x) { return cap > 0.0f ? cap * tanhf(x / cap) : x; }

__device__ inline float activated(uint32_t activation, float x) {
    switch (activation) {
    case SILU: return x / (1.0f + expf(-x));
    case GELU: return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    case GELU_TANH: return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * x * (1.0f + 0.044715f * x * x)));
    default: return x;
    }
}
