// All kernels of a decode step, as one module.
#include "attend.cu"
#include "embed.cu"
#include "gather.cu"
#include "pick.cu"
#include "product.cu"
#include "residual.cu"
