// Steps of a layer that TensorFlow's own ops make of many passes over memory, in one pass on the CPU: root-mean-square norm
// (arXiv 1910.07467) and gated SiLU (arXiv 2002.05202), each with its gradient. What a row gets does not depend on what else is
// computed, bit for bit.
#pragma once

#include <cstring>

#include "op.h"
#include "vectors.h"

namespace zerosearch {

// Rows, or runs of values, that one thread takes at a time: fixed, so that sums over rows do not depend on threads.
constexpr int64_t kRows = 256, kRun = 1 << 15;

struct Norm {
  int64_t rows, width;
  float epsilon;
  const float *x, *weight;

  ZEROSEARCH_INLINE float Scale(const float* row) const {
    float square = Dot(row, row, width) / width + epsilon;
    return std::sqrt(square) / square;
  }

  ZEROSEARCH_FAST void Forward(int64_t part, float* y) const {
    for (int64_t r = part * kRows; r < std::min(rows, (part + 1) * kRows); r++) {
      const float* row = x + r * width;
      float* out = y + r * width;
      Floats scale = Broadcast(Scale(row));
      for (int64_t d = 0; d < width; d += kLanes)
        Store(Load(row + d, width - d) * scale * Load(weight + d, width - d), out + d, width - d);
    }
  }

  // `d_weight` is the sum over this part's rows.
  ZEROSEARCH_FAST void Backward(int64_t part, const float* dy, float* dx, float* d_weight) const {
    std::memset(d_weight, 0, width * sizeof(float));
    std::vector<float> weighted(width);
    float* g = weighted.data();
    for (int64_t r = part * kRows; r < std::min(rows, (part + 1) * kRows); r++) {
      const float *row = x + r * width, *change = dy + r * width;
      float size = Scale(row), *out = dx + r * width;
      Floats scale = Broadcast(size);
      for (int64_t d = 0; d < width; d += kLanes) {
        int64_t lanes = width - d;
        Floats dy = Load(change + d, lanes);
        Store(dy * Load(weight + d, lanes), g + d, lanes);
        Store(Load(d_weight + d, lanes) + dy * Load(row + d, lanes) * scale, d_weight + d, lanes);
      }
      Floats mean = Broadcast(Dot(g, row, width) * size / width);
      for (int64_t d = 0; d < width; d += kLanes)
        Store((Load(g + d, width - d) - Load(row + d, width - d) * scale * mean) * scale, out + d, width - d);
    }
  }
};

inline void* NewNorm(TF_OpKernelConstruction* construction) {
  auto epsilon = new float;
  Status status;
  ReadAttribute(construction, "epsilon", epsilon, status);
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
  return epsilon;
}

inline Norm ReadNorm(OpCall& call, void* epsilon) {
  Norm norm;
  norm.epsilon = *static_cast<float*>(epsilon);
  norm.width = call.size(1);
  norm.rows = norm.width > 0 ? call.size(0) / norm.width : 0;
  call.Require(call.rank(0) > 0 && call.dim(0, call.rank(0) - 1) == norm.width, "weight must be as wide as x");
  norm.x = call.floats(0), norm.weight = call.floats(1);
  return norm;
}

inline void ComputeNorm(void* epsilon, TF_OpKernelContext* context) {
  OpCall call(context, "RmsNorm", 2);
  if (call.failed()) return;
  Norm norm = ReadNorm(call, epsilon);
  if (call.failed()) return;
  float* y = call.OutputLike(0, 0);
  if (call.failed()) return;
  Parallel((norm.rows + kRows - 1) / kRows, norm.rows * norm.width, [&](int64_t part) { norm.Forward(part, y); });
}

inline void ComputeNormGradient(void* epsilon, TF_OpKernelContext* context) {
  OpCall call(context, "RmsNormGradient", 3);
  if (call.failed()) return;
  Norm norm = ReadNorm(call, epsilon);
  call.Require(call.same_shape(2, 0), "dy must have the shape of x");
  if (call.failed()) return;
  float *dx = call.OutputLike(0, 0), *d_weight = call.OutputLike(1, 1);
  if (call.failed()) return;
  int64_t parts = (norm.rows + kRows - 1) / kRows;
  std::vector<float> sums(parts * norm.width);
  Parallel(parts, 2 * norm.rows * norm.width,
           [&](int64_t part) { norm.Backward(part, call.floats(2), dx, sums.data() + part * norm.width); });
  std::memset(d_weight, 0, norm.width * sizeof(float));
  for (int64_t part = 0; part < parts; part++)
    for (int64_t d = 0; d < norm.width; d++) d_weight[d] += sums[part * norm.width + d];
}

// x · σ(x) · up, sixteen values at a time.
struct Gate {
  int64_t size;
  const float *x, *up;

  static ZEROSEARCH_INLINE Floats Sigmoid(Floats x) {
    Floats e = Exp(x < 0.0f ? x : -x);
    return (x < 0.0f ? e : kOne) / (1.0f + e);
  }

  template <typename Work>
  ZEROSEARCH_INLINE void Each(int64_t part, const Work& work) const {
    int64_t end = std::min(size, (part + 1) * kRun);
    for (int64_t n = part * kRun; n < end; n += kLanes) work(n, end - n);
  }

  ZEROSEARCH_FAST void Forward(int64_t part, float* y) const {
    Each(part, [&](int64_t n, int64_t lanes) ZEROSEARCH_ALWAYS {
      Floats value = Load(x + n, lanes);
      Store(value * Sigmoid(value) * Load(up + n, lanes), y + n, lanes);
    });
  }

  ZEROSEARCH_FAST void Backward(int64_t part, const float* dy, float* dx, float* d_up) const {
    Each(part, [&](int64_t n, int64_t lanes) ZEROSEARCH_ALWAYS {
      Floats value = Load(x + n, lanes), sigmoid = Sigmoid(value), change = Load(dy + n, lanes) * sigmoid;
      Store(change * Load(up + n, lanes) * (1.0f + value * (1.0f - sigmoid)), dx + n, lanes);
      Store(change * value, d_up + n, lanes);
    });
  }
};

inline Gate ReadGate(OpCall& call) {
  call.Require(call.same_shape(0, 1), "x and up must have one shape");
  return {call.size(0), call.floats(0), call.floats(1)};
}

inline void ComputeGate(void*, TF_OpKernelContext* context) {
  OpCall call(context, "GatedSilu", 2);
  if (call.failed()) return;
  Gate gate = ReadGate(call);
  if (call.failed()) return;
  float* y = call.OutputLike(0, 0);
  if (call.failed()) return;
  Parallel((gate.size + kRun - 1) / kRun, 4 * gate.size, [&](int64_t part) { gate.Forward(part, y); });
}

inline void ComputeGateGradient(void*, TF_OpKernelContext* context) {
  OpCall call(context, "GatedSiluGradient", 3);
  if (call.failed()) return;
  Gate gate = ReadGate(call);
  call.Require(call.same_shape(2, 0), "dy must have the shape of x");
  if (call.failed()) return;
  float *dx = call.OutputLike(0, 0), *d_up = call.OutputLike(1, 1);
  if (call.failed()) return;
  Parallel((gate.size + kRun - 1) / kRun, 6 * gate.size,
           [&](int64_t part) { gate.Backward(part, call.floats(2), dx, d_up); });
}

// RmsNorm(x [..., width], weight [width]) -> like x; GatedSilu(x, up) -> like x; their gradients take dy besides, and give
// one for each input.
inline void RegisterRowOps() {
  auto remove = [](void* epsilon) { delete static_cast<float*>(epsilon); };
  RegisterOp("RmsNorm", {"x: float", "weight: float"}, {"y: float"}, {"epsilon: float"}, false, NewNorm, ComputeNorm, remove);
  RegisterOp("RmsNormGradient", {"x: float", "weight: float", "dy: float"}, {"dx: float", "d_weight: float"},
             {"epsilon: float"}, false, NewNorm, ComputeNormGradient, remove);
  RegisterOp("GatedSilu", {"x: float", "up: float"}, {"y: float"}, {}, false, nullptr, ComputeGate, nullptr);
  RegisterOp("GatedSiluGradient", {"x: float", "up: float", "dy: float"}, {"dx: float", "d_up: float"}, {}, false, nullptr,
             ComputeGateGradient, nullptr);
}

}  // namespace zerosearch
