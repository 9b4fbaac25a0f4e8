// Registration of AdaCoF for the CPU.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "instructions.h"
#include "warp.h"

namespace tips {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using Moved = std::tuple<Tensor, Tensor, Tensor>;  // gradients of weights, rows, columns

TIPS_BEST(warp_forward, Warp)
TIPS_BEST(warp_backward, Warp)

// Contiguous tensors of one call.
struct Given {
  Tensor image, weights, rows, columns;

  Given(const Tensor& image, const Tensor& weights, const Tensor& rows, const Tensor& columns)
      : image(torch::stable::contiguous(image)),
        weights(torch::stable::contiguous(weights)),
        rows(torch::stable::contiguous(rows)),
        columns(torch::stable::contiguous(columns)) {
    STD_TORCH_CHECK(image.dim() == 4, "image must be (batch, channels, bottom, right)");
    STD_TORCH_CHECK(weights.dim() == 4, "weights must be (batch, taps, height, width)");
    for (const Tensor* moves : {&rows, &columns}) {
      bool same = moves->dim() == 4;
      for (int64_t k = 0; same && k < 4; ++k) same = moves->size(k) == weights.size(k);
      STD_TORCH_CHECK(same, "rows and columns must have the shape of weights");
      STD_TORCH_CHECK(moves->scalar_type() == image.scalar_type(), "all must have one dtype");
    }
    STD_TORCH_CHECK(weights.scalar_type() == image.scalar_type(), "all must have one dtype");
    STD_TORCH_CHECK(image.size(0) == weights.size(0), "image and weights differ in batch");
    const int64_t side = std::llround(std::sqrt(static_cast<double>(weights.size(1))));
    STD_TORCH_CHECK(side * side == weights.size(1), "taps must be a square number; got ",
                    weights.size(1));
    STD_TORCH_CHECK(image.size(2) > 0 && image.size(3) > 0, "image must have pixels");
    STD_TORCH_CHECK(image.size(2) * image.size(3) < std::numeric_limits<int32_t>::max(),
                    "too many pixels");
    STD_TORCH_CHECK(
        image.scalar_type() == ScalarType::Float || image.scalar_type() == ScalarType::Double,
        "image must be float or double");
  }

  bool is_double() const { return image.scalar_type() == ScalarType::Double; }

  template <class T>
  Warp<T> call() const {
    Warp<T> call{};
    call.image = image.const_data_ptr<T>();
    call.weights = weights.const_data_ptr<T>();
    call.rows = rows.const_data_ptr<T>();
    call.columns = columns.const_data_ptr<T>();
    call.batch = image.size(0);
    call.channels = image.size(1);
    call.bottom = image.size(2);
    call.right = image.size(3);
    call.taps = weights.size(1);
    call.side = std::llround(std::sqrt(static_cast<double>(call.taps)));
    call.height = weights.size(2);
    call.width = weights.size(3);
    return call;
  }
};

template <class T>
void run_forward(const Given& given, Tensor& out) {
  Warp<T> call = given.call<T>();
  call.out = out.mutable_data_ptr<T>();
  torch::stable::parallel_for(0, call.batch * call.height, 16, [&](int64_t begin, int64_t end) {
    warp_forward_best<T>(call, begin, end);
  });
}

template <class T>
void run_backward(const Given& given, const Tensor& grad, Moved& out) {
  Warp<T> call = given.call<T>();
  call.grad = grad.const_data_ptr<T>();
  call.grad_weights = std::get<0>(out).mutable_data_ptr<T>();
  call.grad_rows = std::get<1>(out).mutable_data_ptr<T>();
  call.grad_columns = std::get<2>(out).mutable_data_ptr<T>();
  torch::stable::parallel_for(0, call.batch * call.height, 16, [&](int64_t begin, int64_t end) {
    warp_backward_best<T>(call, begin, end);
  });
}

Tensor adacof(const Tensor& image, const Tensor& weights, const Tensor& rows,
              const Tensor& columns) {
  const Given given(image, weights, rows, columns);
  Tensor out = torch::stable::new_empty(
      given.image, {image.size(0), image.size(1), weights.size(2), weights.size(3)});
  if (given.is_double())
    run_forward<double>(given, out);
  else
    run_forward<float>(given, out);
  return out;
}

Moved adacof_backward(const Tensor& grad, const Tensor& image, const Tensor& weights,
                      const Tensor& rows, const Tensor& columns) {
  const Given given(image, weights, rows, columns);
  STD_TORCH_CHECK(grad.dim() == 4 && grad.size(0) == image.size(0) &&
                      grad.size(1) == image.size(1) && grad.size(2) == weights.size(2) &&
                      grad.size(3) == weights.size(3),
                  "grad must have the output's shape");
  STD_TORCH_CHECK(grad.scalar_type() == image.scalar_type(), "all must have one dtype");
  const Tensor whole = torch::stable::contiguous(grad);
  Moved out{torch::stable::empty_like(given.weights), torch::stable::empty_like(given.rows),
            torch::stable::empty_like(given.columns)};
  if (given.is_double())
    run_backward<double>(given, whole, out);
  else
    run_backward<float>(given, whole, out);
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(tips, m) {
  m.def("adacof(Tensor image, Tensor weights, Tensor rows, Tensor columns) -> Tensor");
  m.def(
      "adacof_backward(Tensor grad, Tensor image, Tensor weights, Tensor rows, Tensor columns) "
      "-> (Tensor, Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(tips, CPU, m) {
  m.impl("adacof", TORCH_BOX(&adacof));
  m.impl("adacof_backward", TORCH_BOX(&adacof_backward));
}

}  // namespace tips
