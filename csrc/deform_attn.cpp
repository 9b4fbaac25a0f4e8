// Registration of deformable attention for the CPU.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <tuple>
#include <vector>

#include "arguments.h"
#include "attention.h"
#include "instructions.h"

namespace tips {
namespace {

TIPS_BEST(forward, Call)
TIPS_BEST(backward, Call)

// Size and first cell of every sample's level.
template <class T>
struct Levels {
  std::vector<T> columns, rows;
  std::vector<int32_t> starts;

  explicit Levels(const Arguments& given) {
    int64_t start = 0;
    for (size_t i = 0; i < given.shapes.size(); i += 2) {
      rows.insert(rows.end(), given.points, static_cast<T>(given.shapes[i]));
      columns.insert(columns.end(), given.points, static_cast<T>(given.shapes[i + 1]));
      starts.insert(starts.end(), given.points, static_cast<int32_t>(start));
      start += given.shapes[i] * given.shapes[i + 1];
    }
  }
};

template <class T>
Call<T> call_of(const Arguments& given, const Levels<T>& levels) {
  Call<T> call{};
  call.value = given.value.const_data_ptr<T>();
  call.centres = given.centres ? given.centres->const_data_ptr<T>() : nullptr;
  call.locations = given.locations.const_data_ptr<T>();
  call.weights = given.weights.const_data_ptr<T>();
  call.batch = given.batch;
  call.cells = given.cells;
  call.heads = given.heads;
  call.width = given.width;
  call.queries = given.queries;
  call.samples = given.samples();
  call.columns = levels.columns.data();
  call.rows = levels.rows.data();
  call.starts = levels.starts.data();
  return call;
}

template <class T>
void run_forward(const Arguments& given, Tensor& out) {
  const Levels<T> levels(given);
  Call<T> call = call_of<T>(given, levels);
  call.out = out.mutable_data_ptr<T>();
  const int64_t tasks = call.batch * call.heads * call.blocks();
  torch::stable::parallel_for(
      0, tasks, 16, [&](int64_t begin, int64_t end) { forward_best<T>(call, begin, end); });
}

template <class T>
void run_backward(const Arguments& given, const Tensor& grad, Gradients& out) {
  const Levels<T> levels(given);
  Call<T> call = call_of<T>(given, levels);
  call.grad = grad.const_data_ptr<T>();
  call.grad_value = std::get<0>(out).mutable_data_ptr<T>();
  call.grad_locations = std::get<1>(out).mutable_data_ptr<T>();
  call.grad_weights = std::get<2>(out).mutable_data_ptr<T>();
  torch::stable::parallel_for(0, call.batch * call.heads, 1, [&](int64_t begin, int64_t end) {
    backward_best<T>(call, begin, end);
  });
}

void check_cpu(const Arguments& given) {
  STD_TORCH_CHECK(given.samples() <= kTile, "levels * points must be at most ", kTile, "; got ",
                  given.samples());
  STD_TORCH_CHECK(given.value.scalar_type() == given.locations.scalar_type(),
                  "on a CPU value must have the dtype of locations");
}

Tensor deform_attn(const Tensor& value, std::vector<int64_t> shapes, const Tensor& locations,
                   const Tensor& weights, const std::optional<Tensor> centres) {
  const Arguments given = arguments(value, shapes, locations, weights, centres);
  check_cpu(given);
  Tensor out = given.new_output();
  if (out.numel() == 0) return out;
  if (given.is_double())
    run_forward<double>(given, out);
  else
    run_forward<float>(given, out);
  return out;
}

// `scale` serves CUDA alone: here sums have a fixed order.
Gradients deform_attn_backward(const Tensor& grad, const Tensor& value, std::vector<int64_t> shapes,
                               const Tensor& locations, const Tensor& weights,
                               const std::optional<Tensor> centres, const std::optional<Tensor>) {
  const Arguments given = arguments(value, shapes, locations, weights, centres);
  check_cpu(given);
  Gradients out = given.new_gradients();
  if (given.is_double())
    run_backward<double>(given, given.checked_grad(grad), out);
  else
    run_backward<float>(given, given.checked_grad(grad), out);
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY(tips, m) {
  m.def(
      "deform_attn(Tensor value, int[] shapes, Tensor locations, Tensor weights, "
      "Tensor? centres) -> Tensor");
  m.def(
      "deform_attn_backward(Tensor grad, Tensor value, int[] shapes, Tensor locations, "
      "Tensor weights, Tensor? centres, Tensor? scale) -> (Tensor, Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(tips, CPU, m) {
  m.impl("deform_attn", TORCH_BOX(&deform_attn));
  m.impl("deform_attn_backward", TORCH_BOX(&deform_attn_backward));
}

}  // namespace tips
