// The 6-bit scales and mins of Q4_K and Q5_K: a header of 16 bytes, what both are multiplied by and 12 bytes of them.
#pragma once

#include "group.cuh"

__device__ inline void unpack_six_bit(const uint32_t header[4], int at, Group &group) {
    // The first four have their bits together, the others have the upper two above those of the first four.
    const uint32_t scales = at < 4 ? header[1] & 0x3f3f3f3f : (header[3] & 0x0f0f0f0f) | (header[1] >> 2 & 0x30303030);
    const uint32_t mins = at < 4 ? header[2] & 0x3f3f3f3f : (header[3] >> 4 & 0x0f0f0f0f) | (header[2] >> 2 & 0x30303030);
    const int shift = 8 * (at % 4);
    group.uniform(number(F16{static_cast<uint16_t>(header[0])}) * static_cast<float>(scales >> shift & 255),
                  number(F16{static_cast<uint16_t>(header[0] >> 16)}) * static_cast<float>(mins >> shift & 255));
}
