// Tap arithmetic of one bilinear sample: one text for the CPU loops, the CUDA kernels and the
// launch-grid emulator that checks them without a GPU.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define TIPS_INLINE __host__ __device__ __forceinline__
#else
#define TIPS_INLINE inline __attribute__((always_inline))
#endif

namespace tips {

// One axis of a sample: two neighbouring cells, their weights and the weights' slopes.
// A cell outside the map keeps a valid index, weight 0 and slope 0, so that loops need no branch.
template <class T>
struct Axis {
  int32_t low, high;
  T weight_low, weight_high;
  T slope_low, slope_high;
};

// `position` in pixels of an axis with `size` cells, cell i centred at i. A NaN position gives
// NaN weights on cell 0: divergence shows in the output, as it does with grid_sample.
template <class T>
TIPS_INLINE Axis<T> axis(T position, T size) {
  T inside = position < T(-2) ? T(-2) : position;
  inside = inside > size + T(1) ? size + T(1) : inside;
  // Truncation after a shift is floor for all values >= -2, without a library call.
  const T known = inside == inside ? inside : T(0);
  const int32_t cell = static_cast<int32_t>(known + T(2)) - 2;
  const int32_t next = cell + 1;
  const int32_t top = static_cast<int32_t>(size) - 1;
  const int32_t low = cell < 0 ? 0 : cell, high = next < 0 ? 0 : next;
  Axis<T> out;
  out.low = low > top ? top : low;
  out.high = high > top ? top : high;
  // Clamping moved a cell exactly if it lies outside.
  const T has_low = out.low == cell ? T(1) : T(0);
  const T has_high = out.high == next ? T(1) : T(0);
  const T part = inside - static_cast<T>(cell);
  out.weight_low = (T(1) - part) * has_low;
  out.weight_high = part * has_high;
  out.slope_low = -has_low;
  out.slope_high = has_high;
  return out;
}

}  // namespace tips
