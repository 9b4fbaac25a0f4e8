// Deformable attention on CUDA, the text of one thread block. It compiles with nvcc and, under
// the launch-grid emulator (emulator.h), with a C++ compiler: no GPU is needed to check it.
//
// A block owns `pairs` (query, head) pairs with `lanes` threads each, one thread per channel.
// Taps are computed once per sample, into shared memory. Every location and weight gradient has
// one owner; only the gradient of the values is shared between blocks, and goes through a Sum.
#pragma once

#include "taps.h"

#if defined(__CUDACC__)
#define TIPS_DEVICE __device__
#define TIPS_GLOBAL __global__
#define TIPS_SHARED(name) extern __shared__ __align__(16) unsigned char name[]
#else
#include "emulator.h"
#endif

namespace tips {

struct Level {
  int32_t rows, columns, start;
};

constexpr int kLevels = 8;
constexpr int kThreads = 128;
constexpr int kSharedSamples = 512;  // of a block; levels * points at most

// Sizes of one launch; layouts as in attention.h.
struct Launch {
  int64_t total;  // batch * queries * heads
  int64_t cells, heads, queries;
  int32_t width, points, samples;  // samples: levels * points
  int32_t lanes, pairs;            // threads of a pair, a power of two >= width; pairs of a block
  bool fused;
  Level levels[kLevels];

  int64_t blocks() const { return (total + pairs - 1) / pairs; }
  // Shared memory: 4 cells; attention, 4 weights; backward: a column per thread for 3 sums, and
  // 3 results per sample.
  template <class T>
  int64_t shared_bytes(bool backward) const {
    const int64_t all = int64_t(pairs) * samples;
    const int64_t more = backward ? 3 * (int64_t(pairs) * lanes + all) : 0;
    return (5 * all + more) * int64_t(sizeof(T)) + 4 * all * int64_t(sizeof(int32_t));
  }
};

// Chooses lanes and pairs for a width of 1 to 64.
inline void shape_block(Launch& launch) {
  launch.lanes = 1;
  while (launch.lanes < launch.width) launch.lanes *= 2;
  const int by_threads = kThreads / launch.lanes;
  const int by_samples = kSharedSamples / launch.samples;
  launch.pairs = by_threads < by_samples ? by_threads : (by_samples > 1 ? by_samples : 1);
}

// Gradient of the values, added to in any order: the last bits depend on the order.
template <class T>
struct FloatSum {
  T* to;
  TIPS_DEVICE void add(int64_t at, T amount) const { atomicAdd(to + at, amount); }
};

// The same in fixed point: integer addition has no order.
template <class T>
struct FixedSum {
  unsigned long long* to;
  const double* scale;  // in device memory, so that choosing it needs no synchronisation
  TIPS_DEVICE void add(int64_t at, T amount) const {
    const long long fixed = llrint(static_cast<double>(amount) * *scale);
    atomicAdd(to + at, static_cast<unsigned long long>(fixed));
  }
};

template <class T>
struct Inputs {
  const T *centres, *locations, *weights;
};

// What the threads of a block share.
template <class T>
struct Shared {
  int32_t* cell;          // (4, all)
  T *attention, *weight;  // (all,), (4, all) bilinear weights
  T *column, *result;     // backward: (3, threads), (3, all)

  TIPS_DEVICE Shared(const Launch& launch, unsigned char* memory) {
    const int64_t all = int64_t(launch.pairs) * launch.samples;
    attention = reinterpret_cast<T*>(memory);
    weight = attention + all;
    column = weight + 4 * all;
    cell = reinterpret_cast<int32_t*>(weight + 4 * all);
  }
  TIPS_DEVICE void with_sums(const Launch& launch) {
    const int64_t all = int64_t(launch.pairs) * launch.samples;
    result = column + 3 * int64_t(launch.pairs) * launch.lanes;
    cell = reinterpret_cast<int32_t*>(result + 3 * all);
  }
};

struct Sample {
  int64_t pair, query;  // pair over (B,Q,H), query in Q
  int32_t s;            // over levels * points
  Level level;
};

TIPS_DEVICE inline Sample sample_of(const Launch& launch, int64_t block, int32_t n) {
  Sample out;
  out.pair = block * launch.pairs + n / launch.samples;
  out.query = out.pair / launch.heads % launch.queries;
  out.s = n % launch.samples;
  out.level = launch.levels[out.s / launch.points];
  return out;
}

// Where weight s of a pair lies: logits have their heads innermost.
TIPS_DEVICE inline int64_t weight_at(const Launch& launch, int64_t pair, int32_t s) {
  if (!launch.fused) return pair * launch.samples + s;
  return (pair / launch.heads * launch.samples + s) * launch.heads + pair % launch.heads;
}

// Attention of one sample; fused: its share of the softmax over the pair's samples.
template <class T>
TIPS_DEVICE T attention_of(const Launch& launch, const Inputs<T>& in, int64_t pair, int32_t s) {
  const T own = in.weights[weight_at(launch, pair, s)];
  if (!launch.fused) return own;
  T top = own;
  for (int32_t i = 0; i < launch.samples; ++i) {
    const T other = in.weights[weight_at(launch, pair, i)];
    top = other > top ? other : top;
  }
  T sum = 0;
  for (int32_t i = 0; i < launch.samples; ++i)
    sum += exp(in.weights[weight_at(launch, pair, i)] - top);
  return exp(own - top) / sum;
}

// The sample's axes: x, then y.
template <class T>
TIPS_DEVICE void axes_of(const Launch& launch, const Inputs<T>& in, const Sample& at, Axis<T>& x,
                         Axis<T>& y) {
  const int64_t first = (at.pair * launch.samples + at.s) * 2;
  const T columns = static_cast<T>(at.level.columns), rows = static_cast<T>(at.level.rows);
  T across = in.locations[first], down = in.locations[first + 1];
  if (launch.fused) {
    across += in.centres[2 * at.query] * columns;
    down += in.centres[2 * at.query + 1] * rows;
  } else {
    across *= columns;
    down *= rows;
  }
  x = axis<T>(across - T(0.5), columns);
  y = axis<T>(down - T(0.5), rows);
}

// Computes all taps of a block into shared memory; samples past the end get attention 0.
template <class T>
TIPS_DEVICE void stage(const Launch& launch, const Inputs<T>& in, const Shared<T>& shared,
                       int64_t block, int32_t thread, int32_t threads) {
  const int32_t all = launch.pairs * launch.samples;
  for (int32_t n = thread; n < all; n += threads) {
    const Sample at = sample_of(launch, block, n);
    if (at.pair >= launch.total) continue;
    Axis<T> x, y;
    axes_of(launch, in, at, x, y);
    const int32_t low = at.level.start + y.low * at.level.columns;
    const int32_t high = at.level.start + y.high * at.level.columns;
    shared.cell[n] = low + x.low;
    shared.cell[all + n] = low + x.high;
    shared.cell[2 * all + n] = high + x.low;
    shared.cell[3 * all + n] = high + x.high;
    shared.weight[n] = y.weight_low * x.weight_low;
    shared.weight[all + n] = y.weight_low * x.weight_high;
    shared.weight[2 * all + n] = y.weight_high * x.weight_low;
    shared.weight[3 * all + n] = y.weight_high * x.weight_high;
    shared.attention[n] = attention_of(launch, in, at.pair, at.s);
  }
}

// First channel of a pair's values, and the step from cell to cell.
TIPS_DEVICE inline int64_t value_at(const Launch& launch, int64_t pair) {
  const int64_t b = pair / launch.heads / launch.queries, head = pair % launch.heads;
  return (b * launch.cells * launch.heads + head) * launch.width;
}

template <class T, class V>
TIPS_GLOBAL void forward_kernel(Launch launch, Inputs<T> in, const V* value, V* out) {
  TIPS_SHARED(memory);
  const Shared<T> shared(launch, memory);
  const int64_t block = blockIdx.x;
  const int32_t thread = threadIdx.x, threads = blockDim.x;
  stage(launch, in, shared, block, thread, threads);
  __syncthreads();
  const int32_t mine = thread / launch.lanes, channel = thread % launch.lanes;
  const int64_t pair = block * launch.pairs + mine;
  if (pair >= launch.total || channel >= launch.width) return;
  const int32_t all = launch.pairs * launch.samples;
  const int64_t step = launch.heads * launch.width;
  const V* from = value + value_at(launch, pair) + channel;
  T sum = 0;
  for (int32_t n = mine * launch.samples; n < (mine + 1) * launch.samples; ++n) {
    T sampled = 0;
#pragma unroll
    for (int k = 0; k < 4; ++k)
      sampled += shared.weight[k * all + n] * static_cast<T>(from[shared.cell[k * all + n] * step]);
    sum += shared.attention[n] * sampled;
  }
  out[pair * launch.width + channel] = static_cast<V>(sum);
}

// Sums each of three columns over the lanes of every pair; the sums end in lane 0, which made the
// last of them itself.
template <class T>
TIPS_DEVICE void sum_lanes(T* column, int32_t thread, int32_t threads, int32_t lanes) {
  for (int32_t half = lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread % lanes < half)
      for (int i = 0; i < 3; ++i)
        column[i * threads + thread] += column[i * threads + thread + half];
  }
}

template <class T, class V, class Sum>
TIPS_GLOBAL void backward_kernel(Launch launch, Inputs<T> in, const V* value, const V* grad,
                                 Sum grad_value, T* grad_locations, T* grad_weights) {
  TIPS_SHARED(memory);
  Shared<T> shared(launch, memory);
  shared.with_sums(launch);
  const int64_t block = blockIdx.x;
  const int32_t thread = threadIdx.x, threads = blockDim.x;
  stage(launch, in, shared, block, thread, threads);
  __syncthreads();
  const int32_t all = launch.pairs * launch.samples;
  const int32_t mine = thread / launch.lanes, channel = thread % launch.lanes;
  const int64_t pair = block * launch.pairs + mine;
  const bool active = pair < launch.total && channel < launch.width;
  const int64_t step = launch.heads * launch.width;
  const int64_t corner = active ? value_at(launch, pair) + channel : 0;
  const T g = active ? static_cast<T>(grad[pair * launch.width + channel]) : T(0);
  for (int32_t s = 0; s < launch.samples; ++s) {
    const int32_t n = mine * launch.samples + s;
    T sums[3] = {T(0), T(0), T(0)};  // of weight, x and y
    if (active) {
      Axis<T> x, y;
      axes_of(launch, in, sample_of(launch, block, n), x, y);
      T dot[4];
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const int64_t at = corner + shared.cell[k * all + n] * step;
        const T weight = shared.weight[k * all + n];
        dot[k] = g * static_cast<T>(value[at]);
        sums[0] += weight * dot[k];
        if (weight != T(0)) grad_value.add(at, shared.attention[n] * weight * g);
      }
      sums[1] = y.weight_low * (x.slope_low * dot[0] + x.slope_high * dot[1]) +
                y.weight_high * (x.slope_low * dot[2] + x.slope_high * dot[3]);
      sums[2] = y.slope_low * (x.weight_low * dot[0] + x.weight_high * dot[1]) +
                y.slope_high * (x.weight_low * dot[2] + x.weight_high * dot[3]);
    }
    for (int i = 0; i < 3; ++i) shared.column[i * threads + thread] = sums[i];
    sum_lanes(shared.column, thread, threads, launch.lanes);
    if (channel == 0)
      for (int i = 0; i < 3; ++i) shared.result[i * all + n] = shared.column[i * threads + thread];
    __syncthreads();
  }
  for (int32_t n = thread; n < all; n += threads) {
    const Sample at = sample_of(launch, block, n);
    if (at.pair >= launch.total) continue;
    const T attention = shared.attention[n];
    const T columns = static_cast<T>(at.level.columns), rows = static_cast<T>(at.level.rows);
    const int64_t first = (at.pair * launch.samples + at.s) * 2;
    T weight = shared.result[n];
    grad_locations[first] = attention * shared.result[all + n] * (launch.fused ? T(1) : columns);
    grad_locations[first + 1] =
        attention * shared.result[2 * all + n] * (launch.fused ? T(1) : rows);
    if (launch.fused) {
      const int32_t start = n - at.s;
      T mean = 0;
      for (int32_t i = start; i < start + launch.samples; ++i)
        mean += shared.attention[i] * shared.result[i];
      weight = attention * (weight - mean);
    }
    grad_weights[weight_at(launch, at.pair, at.s)] = weight;
  }
}

}  // namespace tips
