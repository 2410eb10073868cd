// What stands between the products of an MLP.
#pragma once

#include "params.cuh"

__device__ inline float activated(uint32_t activation, float x) {
    switch (activation) {
    case SILU: return x / (1.0f + expf(-x));
    case GELU: return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    case GELU_TANH: return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * x * (1.0f + 0.044715f * x * x)));
    default: return x;
    }
}
