// Deformable attention on the CPU: loops over tasks, written once and compiled per instruction
// set (deform_attn.cpp). A task is a block of queries of one (batch, head) forward, and a whole
// (batch, head) backward; each works on a contiguous copy of its head's values, because at stride
// heads * width the rows of one head would share an eighth of the cache. Tasks write to places of
// their own, in a fixed order: results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "taps.h"

namespace tips {

constexpr int kTile = 128;  // samples whose taps are computed together; levels * points at most

// Pointers and sizes of one call. S cells of all levels, D channels of a head.
// Plain: locations (B,Q,H,L,P,2) in [0, 1], weights (B,Q,H,L,P).
// Fused (centres (Q,2) given): locations are moves in pixels of their level, weights are
// logits (B,Q,L*P,H), whose softmax over L*P is taken here.
template <class T>
struct Call {
  const T *value, *centres, *locations, *weights;        // value (B,S,H,D)
  int64_t batch, cells, heads, width, queries, samples;  // samples: L * P
  const T *columns, *rows;                               // (samples,) size of the sample's level
  const int32_t* starts;                                 // (samples,) its first cell
  T* out;                                                // (B,Q,H*D)
  const T* grad;                                         // of out
  T *grad_value, *grad_locations, *grad_weights;

  TIPS_INLINE int64_t per_tile() const { return kTile / samples; }
  TIPS_INLINE int64_t blocks() const { return (queries + per_tile() - 1) / per_tile(); }
  TIPS_INLINE int64_t pair(int64_t b, int64_t q, int64_t head) const {
    return (b * queries + q) * heads + head;
  }
  // Weight of sample s: logits have their heads innermost.
  TIPS_INLINE int64_t weight(int64_t b, int64_t q, int64_t head, int64_t s) const {
    return centres ? ((b * queries + q) * samples + s) * heads + head
                   : pair(b, q, head) * samples + s;
  }
};

// Samples of some queries of one head as arrays, so that the arithmetic runs in vectors.
template <class T>
struct Tile {
  T x[kTile], y[kTile], attention[kTile];  // pixels of the level; attention sums to 1 per query
  T columns[kTile], rows[kTile];
  int32_t starts[kTile];
  int32_t cell[4][kTile];
  T weight[4][kTile];  // bilinear; forward: times attention
  T slope_x[4][kTile], slope_y[4][kTile];
  T dot[4][kTile];  // backward: <grad, value of the tap>
};

template <class T, int W>
struct LanesOf {
  typedef T type __attribute__((vector_size(W * sizeof(T))));
};
template <class T, int W>
using Lanes = typename LanesOf<T, W>::type;

template <class T, int W>
TIPS_INLINE Lanes<T, W> load(const T* from) {
  Lanes<T, W> lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

template <class T, int W>
TIPS_INLINE void store(T* to, Lanes<T, W> lanes) {
  std::memcpy(to, &lanes, sizeof(lanes));
}

// exp(x) for x <= 0 (Cephes' polynomial, 2 ulp): the library's float version is not a vector one.
TIPS_INLINE float exp_negative(float x) {
  x = x < -87.0f ? -87.0f : x;
  const float shifted = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds to an integer
  const float power = shifted - 12582912.0f;
  const float r = (x - power * 0.693359375f) + power * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  int32_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  bits = (bits + 127) << 23;  // the low bits of `shifted` hold the integer
  float scale;
  std::memcpy(&scale, &bits, sizeof(scale));
  return p * scale;
}
TIPS_INLINE double exp_negative(double x) { return std::exp(x); }

// Level constants of every sample: the pattern repeats with each query.
template <class T>
TIPS_INLINE void fill_levels(const Call<T>& call, Tile<T>& tile) {
  const int count = static_cast<int>(call.per_tile() * call.samples);
  for (int n = 0, s = 0; n < count; ++n) {
    tile.columns[n] = call.columns[s];
    tile.rows[n] = call.rows[s];
    tile.starts[n] = call.starts[s];
    if (++s == call.samples) s = 0;
  }
}

// Softmax over the samples of each query.
template <class T>
TIPS_INLINE void softmax(Tile<T>& tile, int rows, int samples) {
  T* a = tile.attention;
  for (int i = 0; i < rows; ++i) {
    T top = a[i * samples];
    for (int s = 1; s < samples; ++s) top = std::max(top, a[i * samples + s]);
    for (int s = 0; s < samples; ++s) a[i * samples + s] -= top;
  }
#pragma omp simd
  for (int n = 0; n < rows * samples; ++n) a[n] = exp_negative(a[n]);
  for (int i = 0; i < rows; ++i) {
    T sum = 0;
    for (int s = 0; s < samples; ++s) sum += a[i * samples + s];
    for (int s = 0; s < samples; ++s) a[i * samples + s] /= sum;
  }
}

// Positions in pixels and attention of queries q .. q + rows of one head.
template <class T>
TIPS_INLINE void read_samples(const Call<T>& call, Tile<T>& tile, int64_t b, int64_t head,
                              int64_t q, int rows) {
  const int samples = static_cast<int>(call.samples);
  for (int i = 0; i < rows; ++i) {
    const T* from = call.locations + call.pair(b, q + i, head) * samples * 2;
    const T* weights = call.weights + call.weight(b, q + i, head, 0);
    const int64_t step = call.centres ? call.heads : 1;
    const int n = i * samples;
    for (int s = 0; s < samples; ++s) {
      tile.x[n + s] = from[2 * s];
      tile.y[n + s] = from[2 * s + 1];
      tile.attention[n + s] = weights[s * step];
    }
  }
  const int count = rows * samples;
  if (!call.centres) {
#pragma omp simd
    for (int n = 0; n < count; ++n) {
      tile.x[n] = tile.x[n] * tile.columns[n] - T(0.5);
      tile.y[n] = tile.y[n] * tile.rows[n] - T(0.5);
    }
    return;
  }
  for (int i = 0; i < rows; ++i) {
    const T centre_x = call.centres[2 * (q + i)], centre_y = call.centres[2 * (q + i) + 1];
    for (int n = i * samples; n < (i + 1) * samples; ++n) {
      tile.x[n] += centre_x * tile.columns[n] - T(0.5);
      tile.y[n] += centre_y * tile.rows[n] - T(0.5);
    }
  }
  softmax(tile, rows, samples);
}

template <class T, bool kBackward>
TIPS_INLINE void compute_taps(Tile<T>& tile, int count) {
#pragma omp simd
  for (int n = 0; n < count; ++n) {
    const Axis<T> x = axis<T>(tile.x[n], tile.columns[n]);
    const Axis<T> y = axis<T>(tile.y[n], tile.rows[n]);
    const int32_t columns = static_cast<int32_t>(tile.columns[n]);
    const int32_t low = tile.starts[n] + y.low * columns;
    const int32_t high = tile.starts[n] + y.high * columns;
    tile.cell[0][n] = low + x.low;
    tile.cell[1][n] = low + x.high;
    tile.cell[2][n] = high + x.low;
    tile.cell[3][n] = high + x.high;
    const T scale = kBackward ? T(1) : tile.attention[n];
    tile.weight[0][n] = scale * y.weight_low * x.weight_low;
    tile.weight[1][n] = scale * y.weight_low * x.weight_high;
    tile.weight[2][n] = scale * y.weight_high * x.weight_low;
    tile.weight[3][n] = scale * y.weight_high * x.weight_high;
    if (kBackward) {
      tile.slope_x[0][n] = y.weight_low * x.slope_low;
      tile.slope_x[1][n] = y.weight_low * x.slope_high;
      tile.slope_x[2][n] = y.weight_high * x.slope_low;
      tile.slope_x[3][n] = y.weight_high * x.slope_high;
      tile.slope_y[0][n] = y.slope_low * x.weight_low;
      tile.slope_y[1][n] = y.slope_low * x.weight_high;
      tile.slope_y[2][n] = y.slope_high * x.weight_low;
      tile.slope_y[3][n] = y.slope_high * x.weight_high;
    }
  }
}

// Sums the taps of a query's samples n .. stop into W * M channels.
template <int W, int M, class T>
TIPS_INLINE void gather(const Tile<T>& tile, int n, int stop, const T* value, int64_t width,
                        T* out) {
  Lanes<T, W> sum[M] = {};
  for (; n < stop; ++n) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const T* from = value + tile.cell[k][n] * width;
      const T weight = tile.weight[k][n];
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) sum[m] += weight * load<T, W>(from + m * W);
    }
  }
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) store<T, W>(out + m * W, sum[m]);
}

// Adds <grad, value> of every tap to tile.dot, and attention * weight * grad to grad_value.
template <int W, int M, class T>
TIPS_INLINE void scatter(Tile<T>& tile, int n, int stop, const T* value, int64_t width,
                         const T* grad, T* grad_value) {
  Lanes<T, W> g[M];
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) g[m] = load<T, W>(grad + m * W);
  for (; n < stop; ++n) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const int64_t at = tile.cell[k][n] * width;
      const T weight = tile.attention[n] * tile.weight[k][n];
      Lanes<T, W> product = {};
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        T* to = grad_value + at + m * W;
        product += g[m] * load<T, W>(value + at + m * W);
        store<T, W>(to, load<T, W>(to) + weight * g[m]);
      }
      T sum = 0;
#pragma GCC unroll 16
      for (int c = 0; c < W; ++c) sum += product[c];
      tile.dot[k][n] += sum;
    }
  }
}

// Calls f<W, M>(first channel) until all channels are covered, widest vectors first.
#define TIPS_OVER_CHANNELS(f, width, ...)                     \
  {                                                           \
    int64_t c = 0;                                            \
    for (; (width) - c >= 64; c += 64) f<16, 4>(__VA_ARGS__); \
    for (; (width) - c >= 32; c += 32) f<16, 2>(__VA_ARGS__); \
    for (; (width) - c >= 16; c += 16) f<16, 1>(__VA_ARGS__); \
    for (; (width) - c >= 8; c += 8) f<8, 1>(__VA_ARGS__);    \
    for (; (width) - c >= 4; c += 4) f<4, 1>(__VA_ARGS__);    \
    for (; (width) - c >= 1; c += 1) f<1, 1>(__VA_ARGS__);    \
  }

// Copies one head's values side by side, or back.
template <class T>
TIPS_INLINE void copy_rows(const T* from, int64_t from_step, T* to, int64_t to_step, int64_t rows,
                           int64_t width) {
  for (int64_t s = 0; s < rows; ++s)
    std::memcpy(to + s * to_step, from + s * from_step, width * sizeof(T));
}

template <class T>
TIPS_INLINE void forward(const Call<T>& call, int64_t begin, int64_t end) {
  Tile<T> tile;
  const int samples = static_cast<int>(call.samples);
  const int64_t width = call.width, step = call.heads * width;
  std::vector<T> value(call.cells * width);
  fill_levels(call, tile);
  int64_t copied = -1;
  for (int64_t task = begin; task < end; ++task) {
    const int64_t slice = task / call.blocks(), q = task % call.blocks() * call.per_tile();
    const int64_t b = slice / call.heads, head = slice % call.heads;
    if (slice != copied) {
      copy_rows(call.value + b * call.cells * step + head * width, step, value.data(), width,
                call.cells, width);
      copied = slice;
    }
    const int rows = static_cast<int>(std::min<int64_t>(call.per_tile(), call.queries - q));
    read_samples(call, tile, b, head, q, rows);
    compute_taps<T, false>(tile, rows * samples);
    for (int i = 0; i < rows; ++i) {
      T* out = call.out + call.pair(b, q + i, head) * width;
      TIPS_OVER_CHANNELS(gather, width, tile, i * samples, (i + 1) * samples, value.data() + c,
                         width, out + c)
    }
  }
}

// Gradients of a query block's locations and weights from tile.dot.
template <class T>
TIPS_INLINE void write_gradients(const Call<T>& call, Tile<T>& tile, int64_t b, int64_t head,
                                 int64_t q, int rows) {
  const int samples = static_cast<int>(call.samples);
  const bool fused = call.centres != nullptr;
#pragma omp simd
  for (int n = 0; n < rows * samples; ++n) {
    T weight = 0, x = 0, y = 0;
    for (int k = 0; k < 4; ++k) {
      weight += tile.weight[k][n] * tile.dot[k][n];
      x += tile.slope_x[k][n] * tile.dot[k][n];
      y += tile.slope_y[k][n] * tile.dot[k][n];
    }
    tile.x[n] = tile.attention[n] * (fused ? x : x * tile.columns[n]);
    tile.y[n] = tile.attention[n] * (fused ? y : y * tile.rows[n]);
    tile.dot[0][n] = weight;
  }
  for (int i = 0; i < rows; ++i) {
    const int n = i * samples;
    T mean = 0;  // of the softmax's backward
    for (int s = 0; fused && s < samples; ++s) mean += tile.attention[n + s] * tile.dot[0][n + s];
    T* locations = call.grad_locations + call.pair(b, q + i, head) * samples * 2;
    for (int s = 0; s < samples; ++s) {
      const T weight = tile.dot[0][n + s];
      locations[2 * s] = tile.x[n + s];
      locations[2 * s + 1] = tile.y[n + s];
      call.grad_weights[call.weight(b, q + i, head, s)] =
          fused ? tile.attention[n + s] * (weight - mean) : weight;
    }
  }
}

template <class T>
TIPS_INLINE void backward(const Call<T>& call, int64_t begin, int64_t end) {
  Tile<T> tile;
  const int samples = static_cast<int>(call.samples);
  const int64_t width = call.width, step = call.heads * width;
  std::vector<T> value(call.cells * width), grad_value(call.cells * width);
  fill_levels(call, tile);
  for (int64_t task = begin; task < end; ++task) {
    const int64_t b = task / call.heads, head = task % call.heads;
    const int64_t corner = b * call.cells * step + head * width;
    copy_rows(call.value + corner, step, value.data(), width, call.cells, width);
    std::fill(grad_value.begin(), grad_value.end(), T(0));
    for (int64_t q = 0; q < call.queries; q += call.per_tile()) {
      const int rows = static_cast<int>(std::min<int64_t>(call.per_tile(), call.queries - q));
      read_samples(call, tile, b, head, q, rows);
      compute_taps<T, true>(tile, rows * samples);
      for (auto& dot : tile.dot) std::fill(dot, dot + rows * samples, T(0));
      for (int i = 0; i < rows; ++i) {
        const T* grad = call.grad + call.pair(b, q + i, head) * width;
        TIPS_OVER_CHANNELS(scatter, width, tile, i * samples, (i + 1) * samples, value.data() + c,
                           width, grad + c, grad_value.data() + c)
      }
      write_gradients(call, tile, b, head, q, rows);
    }
    copy_rows(grad_value.data(), width, call.grad_value + corner, step, call.cells, width);
  }
}

}  // namespace tips
