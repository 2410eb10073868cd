// The embedding of the token that goes in.
#include "formats/formats.cuh"

KERNEL(embed, Embed, 256) {
    const uint8_t *row = row_of(p.table, p.kind, p.columns, p.state->token);
    for (uint32_t at = threadIdx.x; at < p.columns; at += blockDim.x) {
        p.x[at] = weight_of(row, p.kind, at) * p.scale;
    }
}
