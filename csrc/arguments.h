// Checked arguments of the ops, shared by the CPU and CUDA registrations.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

namespace tips {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using Gradients = std::tuple<Tensor, Tensor, Tensor>;  // of value, locations, weights

// Contiguous tensors and sizes of one call; layouts as in attention.h.
struct Arguments {
  Tensor value, locations, weights;
  std::optional<Tensor> centres;
  std::vector<int64_t> shapes;  // height, width of each level
  int64_t batch, cells, heads, width, queries, levels, points;

  int64_t samples() const { return levels * points; }
  bool is_double() const { return locations.scalar_type() == ScalarType::Double; }

  Tensor new_output() const {
    return torch::stable::new_empty(value, {batch, queries, heads * width});
  }
  Gradients new_gradients() const {
    return {torch::stable::empty_like(value), torch::stable::empty_like(locations),
            torch::stable::empty_like(weights)};
  }
  Tensor checked_grad(const Tensor& grad) const {
    STD_TORCH_CHECK(grad.dim() == 3 && grad.size(0) == batch && grad.size(1) == queries &&
                        grad.size(2) == heads * width,
                    "grad must have the output's shape (", batch, ", ", queries, ", ",
                    heads * width, ")");
    STD_TORCH_CHECK(grad.scalar_type() == value.scalar_type(), "grad must have value's dtype");
    return torch::stable::contiguous(grad);
  }
};

// Checks shapes and dtypes; `centres` makes the call a fused one.
inline Arguments arguments(const Tensor& value, const std::vector<int64_t>& shapes,
                           const Tensor& locations, const Tensor& weights,
                           const std::optional<Tensor>& centres) {
  STD_TORCH_CHECK(value.dim() == 4, "value must be (batch, cells, heads, width)");
  STD_TORCH_CHECK(locations.dim() == 6 && locations.size(5) == 2,
                  "locations must be (batch, queries, heads, levels, points, 2)");
  Arguments out{torch::stable::contiguous(value),
                torch::stable::contiguous(locations),
                torch::stable::contiguous(weights),
                std::nullopt,
                shapes,
                value.size(0),
                value.size(1),
                value.size(2),
                value.size(3),
                locations.size(1),
                locations.size(3),
                locations.size(4)};
  STD_TORCH_CHECK(locations.size(0) == out.batch && locations.size(2) == out.heads,
                  "locations and value differ in batch or heads");
  STD_TORCH_CHECK(out.levels >= 1 && out.points >= 1, "there must be a level and a point");
  STD_TORCH_CHECK(static_cast<int64_t>(shapes.size()) == 2 * out.levels,
                  "shapes must hold height and width of each of ", out.levels, " levels; got ",
                  shapes.size(), " numbers");
  int64_t cells = 0;
  for (size_t i = 0; i < shapes.size(); i += 2) {
    STD_TORCH_CHECK(shapes[i] > 0 && shapes[i + 1] > 0, "a level's size must be positive");
    cells += shapes[i] * shapes[i + 1];
  }
  STD_TORCH_CHECK(cells == out.cells, "the levels have ", cells, " cells, value has ", out.cells);
  STD_TORCH_CHECK(cells < std::numeric_limits<int32_t>::max(), "too many cells: ", cells);
  const ScalarType real = locations.scalar_type();
  STD_TORCH_CHECK(real == ScalarType::Float || real == ScalarType::Double,
                  "locations must be float or double");
  STD_TORCH_CHECK(weights.scalar_type() == real, "weights must have the dtype of locations");
  if (!centres) {
    STD_TORCH_CHECK(weights.dim() == 5 && weights.size(0) == out.batch &&
                        weights.size(1) == out.queries && weights.size(2) == out.heads &&
                        weights.size(3) == out.levels && weights.size(4) == out.points,
                    "weights must be (batch, queries, heads, levels, points) as in locations");
    return out;
  }
  STD_TORCH_CHECK(weights.dim() == 4 && weights.size(0) == out.batch &&
                      weights.size(1) == out.queries && weights.size(2) == out.samples() &&
                      weights.size(3) == out.heads,
                  "logits must be (batch, queries, levels * points, heads) as in locations");
  STD_TORCH_CHECK(centres->dim() == 2 && centres->size(0) == out.queries && centres->size(1) == 2,
                  "centres must be (queries, 2)");
  STD_TORCH_CHECK(centres->scalar_type() == real, "centres must have the dtype of locations");
  out.centres = torch::stable::contiguous(*centres);
  return out;
}

}  // namespace tips
