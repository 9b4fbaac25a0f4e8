// Launches and registration of deformable attention for CUDA.
#include <cuda_runtime.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

#include <optional>
#include <vector>

#include "arguments.h"
#include "deform_attn.cuh"

namespace tips {
namespace {

using torch::headeronly::BFloat16;
using torch::headeronly::Half;

void check(cudaError_t error) {
  STD_TORCH_CHECK(error == cudaSuccess, "deform_attn: ", cudaGetErrorString(error));
}

Launch launch_of(const Arguments& given) {
  STD_TORCH_CHECK(given.width >= 1 && given.width <= 64, "head width must be 1 to 64; got ",
                  given.width);
  STD_TORCH_CHECK(given.levels <= kLevels, "at most ", kLevels, " levels; got ", given.levels);
  STD_TORCH_CHECK(given.samples() <= kSharedSamples, "levels * points must be at most ",
                  kSharedSamples, "; got ", given.samples());
  Launch launch{};
  launch.total = given.batch * given.queries * given.heads;
  launch.cells = given.cells;
  launch.heads = given.heads;
  launch.queries = given.queries;
  launch.width = static_cast<int32_t>(given.width);
  launch.points = static_cast<int32_t>(given.points);
  launch.samples = static_cast<int32_t>(given.samples());
  launch.fused = given.centres.has_value();
  int32_t start = 0;
  for (int64_t l = 0; l < given.levels; ++l) {
    const auto rows = static_cast<int32_t>(given.shapes[2 * l]);
    const auto columns = static_cast<int32_t>(given.shapes[2 * l + 1]);
    launch.levels[l] = {rows, columns, start};
    start += rows * columns;
  }
  shape_block(launch);
  STD_TORCH_CHECK(launch.blocks() < (int64_t(1) << 31), "too many blocks: ", launch.blocks());
  return launch;
}

template <class T>
Inputs<T> inputs_of(const Arguments& given) {
  return {given.centres ? given.centres->const_data_ptr<T>() : nullptr,
          given.locations.const_data_ptr<T>(), given.weights.const_data_ptr<T>()};
}

cudaStream_t stream_of(const Tensor& tensor) {
  const auto stream = torch::stable::accelerator::getCurrentStream(tensor.get_device_index());
  return static_cast<cudaStream_t>(stream.nativeHandle());
}

// Allows a kernel the shared memory that it asks for.
template <class Kernel>
int shared_memory(Kernel kernel, int64_t bytes) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(bytes)));
  return static_cast<int>(bytes);
}

template <class T, class V>
void launch_forward(const Launch& launch, const Arguments& given, Tensor& out) {
  const auto kernel = forward_kernel<T, V>;
  const int shared = shared_memory(kernel, launch.shared_bytes<T>(false));
  kernel<<<launch.blocks(), launch.lanes * launch.pairs, shared, stream_of(given.value)>>>(
      launch, inputs_of<T>(given), given.value.const_data_ptr<V>(), out.mutable_data_ptr<V>());
  check(cudaGetLastError());
}

template <class T, class V, class Sum>
void launch_backward(const Launch& launch, const Arguments& given, const Tensor& grad, Sum sum,
                     Gradients& out) {
  const auto kernel = backward_kernel<T, V, Sum>;
  const int shared = shared_memory(kernel, launch.shared_bytes<T>(true));
  kernel<<<launch.blocks(), launch.lanes * launch.pairs, shared, stream_of(given.value)>>>(
      launch, inputs_of<T>(given), given.value.const_data_ptr<V>(), grad.const_data_ptr<V>(), sum,
      std::get<1>(out).mutable_data_ptr<T>(), std::get<2>(out).mutable_data_ptr<T>());
  check(cudaGetLastError());
}

// The gradient of the values: int64 fixed point where a scale is given, else in T; the caller
// converts it.
template <class T, class V>
void choose_sum(const Launch& launch, const Arguments& given, const Tensor& grad,
                const std::optional<Tensor>& scale, Gradients& out) {
  void* to = std::get<0>(out).mutable_data_ptr();
  if (scale)
    launch_backward<T, V>(
        launch, given, grad,
        FixedSum<T>{static_cast<unsigned long long*>(to), scale->const_data_ptr<double>()}, out);
  else
    launch_backward<T, V>(launch, given, grad, FloatSum<T>{static_cast<T*>(to)}, out);
}

// Calls f(T(), V()) for the dtypes of locations and values.
template <class F>
void dispatch(const Arguments& given, const F& f) {
  const ScalarType dtype = given.value.scalar_type();
  if (given.is_double() && dtype == ScalarType::Double) return f(double(), double());
  STD_TORCH_CHECK(!given.is_double(), "double locations need double values");
  if (dtype == ScalarType::Float) return f(float(), float());
  if (dtype == ScalarType::Half) return f(float(), Half());
  STD_TORCH_CHECK(dtype == ScalarType::BFloat16,
                  "float locations need float, half or bfloat16 values");
  f(float(), BFloat16());
}

Tensor deform_attn(const Tensor& value, std::vector<int64_t> shapes, const Tensor& locations,
                   const Tensor& weights, const std::optional<Tensor> centres) {
  const torch::stable::accelerator::DeviceGuard guard(value.get_device_index());
  const Arguments given = arguments(value, shapes, locations, weights, centres);
  Tensor out = given.new_output();
  if (out.numel() == 0) return out;
  const Launch launch = launch_of(given);
  dispatch(given, [&](auto real, auto stored) {
    launch_forward<decltype(real), decltype(stored)>(launch, given, out);
  });
  return out;
}

Gradients deform_attn_backward(const Tensor& grad, const Tensor& value, std::vector<int64_t> shapes,
                               const Tensor& locations, const Tensor& weights,
                               const std::optional<Tensor> centres,
                               const std::optional<Tensor> scale) {
  const torch::stable::accelerator::DeviceGuard guard(value.get_device_index());
  const Arguments given = arguments(value, shapes, locations, weights, centres);
  Gradients out = given.new_gradients();
  const ScalarType sums = scale ? ScalarType::Long : given.locations.scalar_type();
  std::get<0>(out) = torch::stable::new_zeros(
      given.value, {given.batch, given.cells, given.heads, given.width}, sums);
  const Tensor g = given.checked_grad(grad);
  if (g.numel() == 0) return out;
  const Launch launch = launch_of(given);
  dispatch(given, [&](auto real, auto stored) {
    choose_sum<decltype(real), decltype(stored)>(launch, given, g, scale, out);
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(tips, CUDA, m) {
  m.impl("deform_attn", TORCH_BOX(&deform_attn));
  m.impl("deform_attn_backward", TORCH_BOX(&deform_attn_backward));
}

}  // namespace tips
