// Attention over cached keys and values, on the CPU: the op `CachedAttention`. TensorFlow's own ops would copy what is
// cached of the conversations that are computed, and compute all of its width for each; this one reads it where it lies,
// as far as it is filled. What a token gets does not depend on what else is computed, nor on the width, bit for bit: every
// sum goes over the positions in their order.
#pragma once

#include <atomic>
#include <cmath>
#include <thread>

#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"

namespace zerosearch {

// Keys lie in blocks of this many positions, [headDim, 64] each, so that a product with them reads on and on.
constexpr int64_t kBlock = 64;
// Queries that are served by one reading of a block.
constexpr int64_t kTile = 16;

#if defined(__x86_64__) && defined(__linux__)
// One copy of the function for each kind of processor; what it calls is inlined into it.
#define ZEROSEARCH_FAST __attribute__((flatten, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ZEROSEARCH_FAST __attribute__((flatten))
#endif
#define ZEROSEARCH_INLINE inline __attribute__((always_inline))

typedef float Floats __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t Integers __attribute__((vector_size(64), aligned(4), may_alias));
constexpr int64_t kLanes = 16;

static ZEROSEARCH_INLINE Floats& At(float* values) { return *reinterpret_cast<Floats*>(values); }
static ZEROSEARCH_INLINE const Floats& At(const float* values) { return *reinterpret_cast<const Floats*>(values); }

// e^x for x <= 0 (Cephes, expf: relative error 2e-7); 0 below -87.
static ZEROSEARCH_INLINE Floats Exp(Floats x) {
  Integers gone = x < -87.0f;
  x = gone ? Floats{} - 87.0f : x;
  Floats scaled = x * 1.44269504088896341f - 0.5f;
  Integers exponent = __builtin_convertvector(scaled, Integers);  // towards zero: rounds, since x <= 0
  Floats n = __builtin_convertvector(exponent, Floats);
  Floats r = x - n * 0.693359375f - n * -2.12194440e-4f;
  Floats p = Floats{} + 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  Integers bits = (exponent + 127) << 23;
  return gone ? Floats{} : p * reinterpret_cast<Floats&>(bits);
}

// c[m, n] += sum over i < depth of a[m, i] * b[i, n], for M rows and N vectors of columns, i in its order.
template <int M, int N>
static ZEROSEARCH_INLINE void AddProduct(const float* a, int64_t a_row, const float* b, int64_t b_row, float* c,
                                         int64_t c_row, int64_t depth) {
  Floats sum[M][N];
#pragma GCC unroll 8
  for (int m = 0; m < M; m++)
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) sum[m][n] = At(c + m * c_row + n * kLanes);
  for (int64_t i = 0; i < depth; i++) {
    Floats right[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) right[n] = At(b + i * b_row + n * kLanes);
#pragma GCC unroll 8
    for (int m = 0; m < M; m++) {
      Floats left = Floats{} + a[m * a_row + i];
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) sum[m][n] += left * right[n];
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; m++)
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) At(c + m * c_row + n * kLanes) = sum[m][n];
}

template <int N>
static ZEROSEARCH_INLINE void AddProductRows(int64_t rows, const float* a, int64_t a_row, const float* b, int64_t b_row,
                                             float* c, int64_t c_row, int64_t depth) {
  int64_t m = 0;
  for (; m + 4 <= rows; m += 4) AddProduct<4, N>(a + m * a_row, a_row, b, b_row, c + m * c_row, c_row, depth);
  if (rows - m == 3) AddProduct<3, N>(a + m * a_row, a_row, b, b_row, c + m * c_row, c_row, depth);
  if (rows - m == 2) AddProduct<2, N>(a + m * a_row, a_row, b, b_row, c + m * c_row, c_row, depth);
  if (rows - m == 1) AddProduct<1, N>(a + m * a_row, a_row, b, b_row, c + m * c_row, c_row, depth);
}

// The same for any number of columns.
static ZEROSEARCH_INLINE void AddProductAny(int64_t rows, int64_t columns, const float* a, int64_t a_row, const float* b,
                                            int64_t b_row, float* c, int64_t c_row, int64_t depth) {
  int64_t n = 0;
  for (; n + 4 * kLanes <= columns; n += 4 * kLanes) AddProductRows<4>(rows, a, a_row, b + n, b_row, c + n, c_row, depth);
  for (; n + kLanes <= columns; n += kLanes) AddProductRows<1>(rows, a, a_row, b + n, b_row, c + n, c_row, depth);
  for (; n < columns; n++)
    for (int64_t m = 0; m < rows; m++)
      for (int64_t i = 0; i < depth; i++) c[m * c_row + n] += a[m * a_row + i] * b[i * b_row + n];
}

// Segments are runs of tokens that follow one another, in one slot each.
struct Attention {
  int64_t tokens, heads, kv_heads, head_dim, segments, slots, width;
  float scale, cap;
  int64_t window;
  const float *q, *k, *v;
  float *keys, *values, *out;
  const int32_t *slot, *position, *start, *count;

  // One tile of queries: vectors [first, first + tile) of the group * count ones of a segment that share a key head.
  // `queries` and `sums` hold kTile * head_dim values.
  ZEROSEARCH_INLINE void Tile(int64_t segment, int64_t kv, int64_t first, int64_t tile, float* queries, float* sums) const {
    int64_t group = heads / kv_heads, length = count[segment];
    int64_t place = (slot[segment] * kv_heads + kv) * width * head_dim;
    const float *own_keys = keys + place, *own_values = values + place;
    float scores[kTile * kBlock], highest[kTile], total[kTile];
    int64_t last[kTile], begin = width, end = 0;
    for (int64_t m = 0; m < tile; m++) {
      int64_t t = (first + m) % length, head = kv * group + (first + m) / length;
      const float* query = q + (head * tokens + start[segment] + t) * head_dim;
      for (int64_t d = 0; d < head_dim; d++) queries[m * head_dim + d] = query[d] * scale;
      last[m] = position[segment] + t;
      end = std::max(end, last[m] + 1);
      begin = std::min(begin, std::max<int64_t>(0, last[m] + 1 - window));
      highest[m] = -INFINITY;
      total[m] = 0;
    }
    std::memset(sums, 0, tile * head_dim * sizeof(float));
    for (int64_t block = begin / kBlock * kBlock; block < end; block += kBlock) {
      std::memset(scores, 0, tile * kBlock * sizeof(float));
      AddProductRows<kBlock / kLanes>(tile, queries, head_dim, own_keys + block * head_dim, kBlock, scores, kBlock, head_dim);
      for (int64_t m = 0; m < tile; m++) {
        float* score = scores + m * kBlock;
        int64_t seen_from = last[m] + 1 - window - block, seen_to = last[m] + 1 - block;
        if (cap > 0) {
          for (int64_t n = 0; n < kBlock; n += kLanes) {
            // tanh by e^-2|x|
            Floats x = At(score + n) / cap, size = x < 0.0f ? -x : x, e = Exp(size * -2.0f), t = (1.0f - e) / (1.0f + e);
            At(score + n) = (x < 0.0f ? -t : t) * cap;
          }
        }
        for (int64_t n = 0; n < kBlock; n++)
          if (n < seen_from || n >= seen_to) score[n] = -INFINITY;
        Floats best = Floats{} - INFINITY;
        for (int64_t n = 0; n < kBlock; n += kLanes) {
          Floats x = At(score + n);
          best = x > best ? x : best;
        }
        float before = highest[m];
        for (int64_t n = 0; n < kLanes; n++) highest[m] = best[n] > highest[m] ? best[n] : highest[m];
        if (highest[m] == -INFINITY) {
          std::memset(score, 0, kBlock * sizeof(float));
          continue;
        }
        Floats sum = Floats{};
        for (int64_t n = 0; n < kBlock; n += kLanes) sum += At(score + n) = Exp(At(score + n) - highest[m]);
        float block_total = 0;
        for (int64_t n = 0; n < kLanes; n++) block_total += sum[n];
        if (before != highest[m]) {
          float factor = Exp(Floats{} + (before - highest[m]))[0];
          total[m] *= factor;
          for (int64_t d = 0; d < head_dim; d++) sums[m * head_dim + d] *= factor;
        }
        total[m] += block_total;
      }
      AddProductAny(tile, head_dim, scores, kBlock, own_values + block * head_dim, head_dim, sums, head_dim,
                    std::min(kBlock, end - block));
    }
    for (int64_t m = 0; m < tile; m++)
      for (int64_t d = 0; d < head_dim; d++) sums[m * head_dim + d] /= total[m];
  }

  // Puts the new keys and values of one segment and key head into the cache.
  void Remember(int64_t segment, int64_t kv) const {
    int64_t place = (slot[segment] * kv_heads + kv) * width * head_dim;
    int64_t source = (kv * tokens + start[segment]) * head_dim;
    for (int64_t t = 0; t < count[segment]; t++) {
      int64_t at = position[segment] + t;
      float* block = keys + place + at / kBlock * kBlock * head_dim + at % kBlock;
      for (int64_t d = 0; d < head_dim; d++) block[d * kBlock] = k[source + t * head_dim + d];
      std::memcpy(values + place + at * head_dim, v + source + t * head_dim, head_dim * sizeof(float));
    }
  }

  // One segment and key head. `scratch` holds 2 * kTile * head_dim values.
  ZEROSEARCH_FAST void Part(int64_t segment, int64_t kv, float* scratch) const {
    int64_t group = heads / kv_heads, length = count[segment], queries = group * length;
    float* sums = scratch + kTile * head_dim;
    Remember(segment, kv);
    for (int64_t first = 0; first < queries; first += kTile) {
      int64_t tile = std::min(kTile, queries - first);
      Tile(segment, kv, first, tile, scratch, sums);
      for (int64_t m = 0; m < tile; m++) {
        int64_t head = kv * group + (first + m) / length, token = start[segment] + (first + m) % length;
        std::memcpy(out + (token * heads + head) * head_dim, sums + m * head_dim, head_dim * sizeof(float));
      }
    }
  }

  // All segments, on as many threads as the work is worth.
  void Run() const {
    int64_t parts = segments * kv_heads, work = 0;
    for (int64_t segment = 0; segment < segments; segment++) {
      int64_t length = count[segment];
      work += heads * length * (position[segment] + length) * head_dim;
    }
    std::atomic<int64_t> next{0};
    auto serve = [&] {
      std::vector<float> scratch(2 * kTile * head_dim);
      for (int64_t part; (part = next++) < parts;) {
        if (count[part / kv_heads] > 0) Part(part / kv_heads, part % kv_heads, scratch.data());
      }
    };
    // A thread takes some 20 µs to start: a million products take longer.
    int64_t threads = std::min({parts, work / 1000000, static_cast<int64_t>(std::thread::hardware_concurrency())});
    std::vector<std::thread> helpers;
    for (int64_t i = 1; i < threads; i++) helpers.emplace_back(serve);
    serve();
    for (std::thread& helper : helpers) helper.join();
  }
};

struct AttentionOptions {
  float scale = 1, cap = 0;
  int64_t window = 0;
};

constexpr int kInputs = 9;

inline void* NewAttention(TF_OpKernelConstruction* construction) {
  auto options = new AttentionOptions;
  Status status;
  TF_OpKernelConstruction_GetAttrFloat(construction, "scale", &options->scale, status);
  TF_OpKernelConstruction_GetAttrFloat(construction, "cap", &options->cap, status);
  TF_OpKernelConstruction_GetAttrInt64(construction, "window", &options->window, status);
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
  return options;
}

inline void DeleteAttention(void* options) { delete static_cast<AttentionOptions*>(options); }

inline void ComputeAttention(void* kernel, TF_OpKernelContext* context) {
  auto options = static_cast<AttentionOptions*>(kernel);
  Status status;
  TF_Tensor* inputs[kInputs] = {};
  struct Free {
    TF_Tensor** tensors;
    ~Free() {
      for (int i = 0; i < kInputs; i++) if (tensors[i]) TF_DeleteTensor(tensors[i]);
    }
  } free{inputs};
  auto fail = [&](const std::string& what) {
    if (TF_GetCode(status) == TF_OK) TF_SetStatus(status, TF_INVALID_ARGUMENT, ("CachedAttention: " + what).c_str());
    TF_OpKernelContext_Failure(context, status);
  };
  for (int i = 0; i < kInputs; i++) {
    TF_GetInput(context, i, &inputs[i], status);
    if (TF_GetCode(status) != TF_OK) return fail("");
  }
  for (int i = 0; i < 5; i++) if (TF_NumDims(inputs[i]) != 4) return fail("q, k, v, keys and values must have four dimensions");
  auto dim = [&](int input, int axis) { return TF_Dim(inputs[input], axis); };
  auto floats = [&](int input) { return static_cast<float*>(TF_TensorData(inputs[input])); };
  auto ints = [&](int input) { return static_cast<int32_t*>(TF_TensorData(inputs[input])); };
  Attention attention;
  attention.heads = dim(0, 1), attention.tokens = dim(0, 2), attention.head_dim = dim(0, 3);
  attention.kv_heads = dim(1, 1), attention.slots = dim(3, 0), attention.width = dim(3, 2);
  attention.scale = options->scale, attention.cap = options->cap;
  attention.window = options->window > 0 ? options->window : INT32_MAX;
  attention.q = floats(0), attention.k = floats(1), attention.v = floats(2);
  attention.keys = floats(3), attention.values = floats(4);
  attention.slot = ints(5), attention.position = ints(6), attention.start = ints(7), attention.count = ints(8);
  attention.segments = TF_TensorElementCount(inputs[5]);
  if (dim(0, 0) != 1) return fail("q must be [1, heads, tokens, headDim]");
  for (int i = 1; i < 3; i++)
    if (dim(i, 0) != 1 || dim(i, 1) != attention.kv_heads || dim(i, 2) != attention.tokens || dim(i, 3) != attention.head_dim)
      return fail("k and v must be [1, kvHeads, tokens, headDim]");
  for (int i = 3; i < 5; i++)
    if (dim(i, 0) != attention.slots || dim(i, 1) != attention.kv_heads || dim(i, 2) != attention.width || dim(i, 3) != attention.head_dim)
      return fail("keys and values must be [slots, kvHeads, width, headDim]");
  if (attention.heads % attention.kv_heads || attention.width % kBlock) return fail("heads or width do not divide");
  for (int i = 6; i < kInputs; i++)
    if (TF_TensorElementCount(inputs[i]) != attention.segments) return fail("slot, position, start and count must be as long as one another");
  for (int64_t i = 0; i < attention.segments; i++) {
    int64_t slot = attention.slot[i], position = attention.position[i], start = attention.start[i], count = attention.count[i];
    if (slot < 0 || slot >= attention.slots || position < 0 || count < 0 || position + count > attention.width)
      return fail("segment " + std::to_string(i) + " lies outside of the cache");
    if (start < 0 || start + count > attention.tokens) return fail("segment " + std::to_string(i) + " lies outside of the tokens");
  }
  int64_t shape[3] = {1, attention.tokens, attention.heads * attention.head_dim};
  size_t bytes = shape[1] * shape[2] * sizeof(float);
  TF_Tensor* output = TF_AllocateOutput(context, 0, TF_FLOAT, shape, 3, bytes, status);
  if (TF_GetCode(status) != TF_OK) return fail("");
  attention.out = static_cast<float*>(TF_TensorData(output));
  // Tokens of no segment are padding.
  std::memset(attention.out, 0, bytes);
  attention.Run();
  TF_DeleteTensor(output);
}

// CachedAttention(q [1, heads, tokens, headDim], k and v [1, kvHeads, tokens, headDim], keys and values [slots, kvHeads, width,
// headDim], slot, position, start and count int32 [segments]) -> [1, tokens, heads * headDim]
//
// Segment i is tokens [start, start + count): their keys and values go into its slot of the cache, from `position` on, in
// place, and each sees what lies before it there and itself; `window` of these at most, where that is not 0. Segments are
// of different slots, and do not overlap; what a token of no segment gets is 0.
inline void RegisterAttention() {
  static bool registered = false;
  if (registered) return;
  registered = true;
  Status status;
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder("CachedAttention");
  for (const char* input : {"q: float", "k: float", "v: float", "keys: float", "values: float", "slot: int32",
                            "position: int32", "start: int32", "count: int32"})
    TF_OpDefinitionBuilderAddInput(op, input);
  for (const char* attribute : {"scale: float", "cap: float", "window: int"}) TF_OpDefinitionBuilderAddAttr(op, attribute);
  TF_OpDefinitionBuilderAddOutput(op, "mixed: float");
  // It changes the cache: no optimiser may drop it, or take two for one.
  TF_OpDefinitionBuilderSetIsStateful(op, true);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, [](TF_ShapeInferenceContext* context, TF_Status* status) {
    TF_ShapeInferenceContextSetUnknownShape(context, status);
  });
  TF_RegisterOpDefinition(op, status);
  TF_KernelBuilder* builder = TF_NewKernelBuilder("CachedAttention", "CPU", NewAttention, ComputeAttention, DeleteAttention);
  TF_RegisterKernelBuilder("CachedAttention", builder, status);
}

}  // namespace zerosearch
