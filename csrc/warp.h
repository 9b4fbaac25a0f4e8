// AdaCoF on the CPU (tips/ops/adacof.py): loops over tasks, written once and compiled per
// instruction set. A task is one row of the output; taps are its outer loop and pixels its inner
// one, so that the arithmetic runs in vectors.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "taps.h"

namespace tips {

template <class T>
struct Warp {
  const T* image;                     // (B,C,bottom,right)
  const T *weights, *rows, *columns;  // (B,taps,height,width); moves in px
  int64_t batch, channels, bottom, right, taps, side, height, width;  // taps = side * side
  T* out;                                                             // (B,C,height,width)
  const T* grad;                                                      // of out
  T *grad_weights, *grad_rows, *grad_columns;

  TIPS_INLINE int64_t tap_row(int64_t b, int64_t tap, int64_t i) const {
    return ((b * taps + tap) * height + i) * width;
  }
  TIPS_INLINE int64_t out_row(int64_t b, int64_t c, int64_t i) const {
    return ((b * channels + c) * height + i) * width;
  }
};

// Where one tap of a row of pixels reads: the four corners' cells, and the fractions of the moves,
// which have the moves' signs.
template <class T>
struct Places {
  std::vector<int32_t> cell[4];  // near both; next row; next column; both
  std::vector<T> down, along;
  std::vector<T> part[4];  // of the corners, or what they add up to

  explicit Places(int64_t width) : down(width), along(width) {
    for (auto& one : cell) one.resize(width);
    for (auto& one : part) one.resize(width);
  }
};

// A NaN ends up at 0; its fraction is NaN still, and shows in the output.
template <class T>
TIPS_INLINE int32_t inside(T place, T last) {
  const T low = place > T(0) ? place : T(0);
  return static_cast<int32_t>(low > last ? last : low);
}

template <class T>
TIPS_INLINE void find(const Warp<T>& call, int64_t b, int64_t tap, int64_t i, Places<T>& at) {
  const T* rows = call.rows + call.tap_row(b, tap, i);
  const T* columns = call.columns + call.tap_row(b, tap, i);
  const T last_row = static_cast<T>(call.bottom - 1), last_column = static_cast<T>(call.right - 1);
  const T y = static_cast<T>(i + tap / call.side), x = static_cast<T>(tap % call.side);
  const int32_t right = static_cast<int32_t>(call.right);
  int32_t *near = at.cell[0].data(), *below = at.cell[1].data();
  int32_t *behind = at.cell[2].data(), *both = at.cell[3].data();
  T *down = at.down.data(), *along = at.along.data();
#pragma omp simd
  for (int64_t j = 0; j < call.width; ++j) {
    // By way of 32 bits, which every instruction set turns into floats in vectors.
    const T move_y = std::trunc(rows[j]), move_x = std::trunc(columns[j]);
    const T top = y + move_y, left = x + static_cast<T>(static_cast<int32_t>(j)) + move_x;
    const int32_t upper = inside(top, last_row) * right;
    const int32_t lower = inside(top + T(1), last_row) * right;
    const int32_t before = inside(left, last_column), after = inside(left + T(1), last_column);
    near[j] = upper + before;
    below[j] = lower + before;
    behind[j] = upper + after;
    both[j] = lower + after;
    down[j] = rows[j] - move_y;
    along[j] = columns[j] - move_x;
  }
}

template <class T>
TIPS_INLINE void warp_forward(const Warp<T>& call, int64_t begin, int64_t end) {
  Places<T> at(call.width);
  const int64_t cells = call.bottom * call.right;
  for (int64_t task = begin; task < end; ++task) {
    const int64_t b = task / call.height, i = task % call.height;
    for (int64_t c = 0; c < call.channels; ++c) {
      T* out = call.out + call.out_row(b, c, i);
      for (int64_t j = 0; j < call.width; ++j) out[j] = T(0);
    }
    for (int64_t tap = 0; tap < call.taps; ++tap) {
      find(call, b, tap, i, at);
      const T* weights = call.weights + call.tap_row(b, tap, i);
      const T *down = at.down.data(), *along = at.along.data();
      T *near = at.part[0].data(), *below = at.part[1].data();
      T *behind = at.part[2].data(), *both = at.part[3].data();
#pragma omp simd
      for (int64_t j = 0; j < call.width; ++j) {
        const T here = weights[j] * (T(1) - along[j]), next = weights[j] * along[j];
        near[j] = here * (T(1) - down[j]);
        below[j] = here * down[j];
        behind[j] = next * (T(1) - down[j]);
        both[j] = next * down[j];
      }
      const int32_t *c0 = at.cell[0].data(), *c1 = at.cell[1].data();
      const int32_t *c2 = at.cell[2].data(), *c3 = at.cell[3].data();
      for (int64_t c = 0; c < call.channels; ++c) {
        const T* image = call.image + (b * call.channels + c) * cells;
        T* out = call.out + call.out_row(b, c, i);
#pragma omp simd
        for (int64_t j = 0; j < call.width; ++j)
          out[j] += near[j] * image[c0[j]] + below[j] * image[c1[j]] + behind[j] * image[c2[j]] +
                    both[j] * image[c3[j]];
      }
    }
  }
}

template <class T>
TIPS_INLINE void warp_backward(const Warp<T>& call, int64_t begin, int64_t end) {
  Places<T> at(call.width);
  const int64_t cells = call.bottom * call.right;
  for (int64_t task = begin; task < end; ++task) {
    const int64_t b = task / call.height, i = task % call.height;
    for (int64_t tap = 0; tap < call.taps; ++tap) {
      find(call, b, tap, i, at);
      // <grad, image> at each corner.
      for (int k = 0; k < 4; ++k) {
        T* dot = at.part[k].data();
        const int32_t* cell = at.cell[k].data();
        for (int64_t j = 0; j < call.width; ++j) dot[j] = T(0);
        for (int64_t c = 0; c < call.channels; ++c) {
          const T* image = call.image + (b * call.channels + c) * cells;
          const T* grad = call.grad + call.out_row(b, c, i);
#pragma omp simd
          for (int64_t j = 0; j < call.width; ++j) dot[j] += grad[j] * image[cell[j]];
        }
      }
      const int64_t row = call.tap_row(b, tap, i);
      const T* weights = call.weights + row;
      T* grad_weights = call.grad_weights + row;
      T* grad_rows = call.grad_rows + row;
      T* grad_columns = call.grad_columns + row;
      const T *down = at.down.data(), *along = at.along.data();
      const T *near = at.part[0].data(), *below = at.part[1].data();
      const T *behind = at.part[2].data(), *both = at.part[3].data();
#pragma omp simd
      for (int64_t j = 0; j < call.width; ++j) {
        const T here = near[j] + down[j] * (below[j] - near[j]);
        const T next = behind[j] + down[j] * (both[j] - behind[j]);
        grad_weights[j] = here + along[j] * (next - here);
        grad_columns[j] = weights[j] * (next - here);
        grad_rows[j] = weights[j] * ((T(1) - along[j]) * (below[j] - near[j]) +
                                     along[j] * (both[j] - behind[j]));
      }
    }
  }
}

}  // namespace tips
