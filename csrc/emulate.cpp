// The CUDA kernels under the emulator, as C functions for the tests (ctypes).
#include "deform_attn.cuh"

namespace {

using namespace tips;

// Values behind a NaN margin: a tap that reads uninitialised shared memory (cell -1) meets it.
template <class T>
std::vector<T> with_margin(const T* from, int64_t count, int64_t margin) {
  std::vector<T> out(margin, std::nan(""));
  out.insert(out.end(), from, from + count);
  return out;
}

Launch launch_of(const int64_t* sizes, const int64_t* shapes, bool fused) {
  Launch launch{};
  const int64_t batch = sizes[0], levels = sizes[5];
  launch.cells = sizes[1];
  launch.heads = sizes[2];
  launch.width = static_cast<int32_t>(sizes[3]);
  launch.queries = sizes[4];
  launch.points = static_cast<int32_t>(sizes[6]);
  launch.samples = static_cast<int32_t>(levels * sizes[6]);
  launch.total = batch * launch.queries * launch.heads;
  launch.fused = fused;
  int32_t start = 0;
  for (int64_t l = 0; l < levels; ++l) {
    launch.levels[l] = {static_cast<int32_t>(shapes[2 * l]),
                        static_cast<int32_t>(shapes[2 * l + 1]), start};
    start += launch.levels[l].rows * launch.levels[l].columns;
  }
  shape_block(launch);
  return launch;
}

template <class T>
int forward(const int64_t* sizes, const int64_t* shapes, const T* value, const T* centres,
            const T* locations, const T* weights, unsigned seed, T* out) {
  const Launch launch = launch_of(sizes, shapes, centres != nullptr);
  const int64_t margin = launch.heads * launch.width;
  const auto padded = with_margin(value, sizes[0] * sizes[1] * margin, margin);
  const Inputs<T> in{centres, locations, weights};
  try {
    emulator::launch(launch.blocks(), launch.lanes * launch.pairs, launch.shared_bytes<T>(false),
                     seed, [&] { forward_kernel<T, T>(launch, in, padded.data() + margin, out); });
  } catch (const std::runtime_error&) {
    return 1;
  }
  return 0;
}

template <class T>
int backward(const int64_t* sizes, const int64_t* shapes, const T* value, const T* centres,
             const T* locations, const T* weights, const T* grad, unsigned seed, double scale,
             T* grad_value, T* grad_locations, T* grad_weights) {
  const Launch launch = launch_of(sizes, shapes, centres != nullptr);
  const int64_t margin = launch.heads * launch.width, count = sizes[0] * sizes[1] * margin;
  const auto padded = with_margin(value, count, margin);
  const Inputs<T> in{centres, locations, weights};
  std::vector<T> sums(margin + count, T(0));
  std::vector<unsigned long long> fixed(margin + count, 0);
  const auto run = [&](auto sum) {
    emulator::launch(launch.blocks(), launch.lanes * launch.pairs, launch.shared_bytes<T>(true),
                     seed, [&] {
                       backward_kernel<T, T>(launch, in, padded.data() + margin, grad, sum,
                                             grad_locations, grad_weights);
                     });
  };
  try {
    if (scale > 0)
      run(FixedSum<T>{fixed.data() + margin, &scale});
    else
      run(FloatSum<T>{sums.data() + margin});
  } catch (const std::runtime_error&) {
    return 1;
  }
  for (int64_t i = 0; i < count; ++i)
    grad_value[i] = scale > 0 ? static_cast<T>(static_cast<long long>(fixed[margin + i]) / scale)
                              : sums[margin + i];
  return 0;
}

}  // namespace

#define TIPS_EXPORT(T)                                                                       \
  extern "C" int forward_##T(const int64_t* sizes, const int64_t* shapes, const T* value,    \
                             const T* centres, const T* locations, const T* weights,         \
                             unsigned seed, T* out) {                                        \
    return forward<T>(sizes, shapes, value, centres, locations, weights, seed, out);         \
  }                                                                                          \
  extern "C" int backward_##T(const int64_t* sizes, const int64_t* shapes, const T* value,   \
                              const T* centres, const T* locations, const T* weights,        \
                              const T* grad, unsigned seed, double scale, T* grad_value,     \
                              T* grad_locations, T* grad_weights) {                          \
    return backward<T>(sizes, shapes, value, centres, locations, weights, grad, seed, scale, \
                       grad_value, grad_locations, grad_weights);                            \
  }
TIPS_EXPORT(float)
TIPS_EXPORT(double)
