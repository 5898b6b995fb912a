// Attention of whole sequences and its gradient, on the CPU: the ops `CausalAttention` and `CausalAttentionGradient`. Queries
// and keys are turned by their positions on the way. Scores exist for a tile of queries at a time, and only where a query
// may see a key; TensorFlow's own ops write and read them some ten times. Sums go over the positions in their order, so that
// results do not depend on the number of threads.
#pragma once

#include <cstring>

#include "attention-options.h"
#include "op.h"
#include "vectors.h"

namespace zerosearch {

struct CausalAttention {
  // Queries of a head that are looked at together, and keys of a block.
  static constexpr int64_t kQueries = 32, kKeys = 64;

  int64_t batch, time, heads, kv_heads, head_dim, padded;
  float scale, cap;
  int64_t window;
  // Where the sequence of each token begins in its row (0 or a row's worth of values for each of the batch), and how many
  // tokens at its beginning all of a row sees.
  const int32_t *starts = nullptr, *shared = nullptr;
  bool start_of_each = false;
  int64_t rotations;
  const float *q, *k, *v, *cos, *sin;

  const float* Turns(const float* table, int64_t row, int64_t t) const {
    return table + ((rotations == 1 ? 0 : row) * time + t) * head_dim;
  }
  int64_t StartOf(int64_t row, int64_t t) const {
    return starts ? starts[start_of_each ? row * time + t : row] : 0;
  }
  int64_t SharedOf(int64_t row) const { return shared ? shared[row] : 0; }

  // Blocks of keys that one of the queries [first, first + count) sees: their first keys.
  ZEROSEARCH_INLINE int64_t Seen(int64_t row, int64_t first, int64_t count, int64_t* blocks) const {
    int64_t own = time, common = SharedOf(row);
    for (int64_t t = first; t < first + count; t++) own = std::min(own, StartOf(row, t));
    int64_t from = std::max<int64_t>(0, first + 1 - window), found = 0;
    for (int64_t block = from / kKeys * kKeys; block < first + count; block += kKeys)
      if (block + kKeys > own || block < common) blocks[found++] = block;
    return found;
  }

  // Weights of the keys of some blocks for a tile of queries, [tile, kKeys] one block after the other in `weights`. What the
  // soft cap's gradient is to be multiplied by goes to `slopes`, where there is a cap and they are wanted.
  ZEROSEARCH_INLINE void Weigh(int64_t row, int64_t first, int64_t tile, const float* queries, const float* keys,
                               const int64_t* blocks, int64_t count, float* weights, float* slopes) const {
    Floats highest[kQueries], total[kQueries];
    for (int64_t m = 0; m < tile; m++) highest[m] = kNothing, total[m] = Floats{};
    for (int64_t b = 0; b < count; b++) {
      int64_t block = blocks[b];
      float* scores = weights + b * kQueries * kKeys;
      std::memset(scores, 0, tile * kKeys * sizeof(float));
      AddProductRows<kKeys / kLanes>(tile, {queries, head_dim}, keys + block, padded, scores, kKeys, head_dim);
      for (int64_t m = 0; m < tile; m++) {
        float* score = scores + m * kKeys;
        if (cap > 0) {
          Floats bound = Broadcast(cap);
          for (int64_t n = 0; n < kKeys; n += kLanes) {
            Floats t = Tanh(At(score + n) / bound);
            At(score + n) = t * bound;
            if (slopes) At(slopes + (b * kQueries + m) * kKeys + n) = 1.0f - t * t;
          }
        }
        int64_t t = first + m, start = StartOf(row, t), common = SharedOf(row);
        int64_t from = std::max(start, t + 1 - window) - block, to = t + 1 - block;
        if (from > 0 || to < kKeys) {
          Integers key = kLane, first_seen = Broadcast(static_cast<int32_t>(from)), end = Broadcast(static_cast<int32_t>(to));
          Integers end_of_common = Broadcast(static_cast<int32_t>(common - block));
          for (int64_t n = 0; n < kKeys; n += kLanes, key += 16) {
            Integers hidden = (key >= end) | ((key < first_seen) & (key >= end_of_common));
            At(score + n) = hidden ? kNothing : At(score + n);
          }
        }
        Floats best = highest[m];
        for (int64_t n = 0; n < kKeys; n += kLanes) best = At(score + n) > best ? At(score + n) : best;
        highest[m] = best;
      }
    }
    for (int64_t m = 0; m < tile; m++) {
      float most = Largest(highest[m]);
      // A token of padding sees nothing: all of its weights are 0.
      highest[m] = Broadcast(most == -INFINITY ? 0 : most);
    }
    for (int64_t b = 0; b < count; b++)
      for (int64_t m = 0; m < tile; m++) {
        float* score = weights + (b * kQueries + m) * kKeys;
        for (int64_t n = 0; n < kKeys; n += kLanes) total[m] += At(score + n) = Exp(At(score + n) - highest[m]);
      }
    for (int64_t m = 0; m < tile; m++) {
      float sum = Sum(total[m]);
      total[m] = Broadcast(sum > 0 ? 1 / sum : 0);
    }
    for (int64_t b = 0; b < count; b++)
      for (int64_t m = 0; m < tile; m++) {
        float* score = weights + (b * kQueries + m) * kKeys;
        for (int64_t n = 0; n < kKeys; n += kLanes) At(score + n) *= total[m];
      }
  }

  // Keys of a row and head, turned: [head_dim, padded], and [time, head_dim] where these are wanted too.
  ZEROSEARCH_INLINE void TurnKeys(int64_t row, int64_t kv, float* transposed, float* plain, float* turned) const {
    std::memset(transposed, 0, head_dim * padded * sizeof(float));
    for (int64_t t = 0; t < time; t++) {
      float* key = plain ? plain + t * head_dim : turned;
      Turn(k + ((row * time + t) * kv_heads + kv) * head_dim, Turns(cos, row, t), Turns(sin, row, t), head_dim, 1, key);
      for (int64_t d = 0; d < head_dim; d++) transposed[d * padded + t] = key[d];
    }
  }

  ZEROSEARCH_INLINE void TurnQueries(int64_t row, int64_t head, int64_t first, int64_t tile, float* queries) const {
    for (int64_t m = 0; m < tile; m++) {
      int64_t t = first + m;
      Turn(q + ((row * time + t) * heads + head) * head_dim, Turns(cos, row, t), Turns(sin, row, t), head_dim, scale,
           queries + m * head_dim);
    }
  }

  // One row and key head of the result.
  ZEROSEARCH_FAST void Forward(int64_t row, int64_t kv, float* y) const {
    int64_t group = heads / kv_heads, blocks = padded / kKeys;
    std::vector<float> keys(head_dim * padded), weights(kQueries * padded), queries(kQueries * head_dim), turned(head_dim);
    std::vector<int64_t> seen(blocks);
    TurnKeys(row, kv, keys.data(), nullptr, turned.data());
    const float* values = v + (row * time * kv_heads + kv) * head_dim;
    for (int64_t head = kv * group; head < (kv + 1) * group; head++)
      for (int64_t first = 0; first < time; first += kQueries) {
        int64_t tile = std::min(kQueries, time - first), count = Seen(row, first, tile, seen.data());
        TurnQueries(row, head, first, tile, queries.data());
        Weigh(row, first, tile, queries.data(), keys.data(), seen.data(), count, weights.data(), nullptr);
        float* out = y + ((row * time + first) * heads + head) * head_dim;
        for (int64_t m = 0; m < tile; m++) std::memset(out + m * heads * head_dim, 0, head_dim * sizeof(float));
        for (int64_t b = 0; b < count; b++)
          AddProductAny(tile, head_dim, {weights.data() + b * kQueries * kKeys, kKeys},
                        values + seen[b] * kv_heads * head_dim, kv_heads * head_dim, out, heads * head_dim,
                        std::min(kKeys, time - seen[b]));
      }
  }

  // One row and key head of the gradients, from the result and its gradient.
  ZEROSEARCH_FAST void Backward(int64_t row, int64_t kv, const float* y, const float* dy, float* dq, float* dk,
                                float* dv) const {
    int64_t group = heads / kv_heads, row_of = heads * head_dim, tile_size = kQueries * padded;
    std::vector<float> keys(head_dim * padded), plain(time * head_dim), values(head_dim * padded);
    std::vector<float> d_keys(head_dim * padded), d_values(head_dim * padded);
    std::vector<float> weights(tile_size), d_weights(tile_size), slopes(cap > 0 ? tile_size : 0);
    std::vector<float> queries(kQueries * head_dim), d_queries(kQueries * head_dim), line(head_dim);
    std::vector<int64_t> seen(padded / kKeys);
    TurnKeys(row, kv, keys.data(), plain.data(), nullptr);
    for (int64_t t = 0; t < time; t++)
      for (int64_t d = 0; d < head_dim; d++)
        values[d * padded + t] = v[((row * time + t) * kv_heads + kv) * head_dim + d];
    for (int64_t head = kv * group; head < (kv + 1) * group; head++)
      for (int64_t first = 0; first < time; first += kQueries) {
        int64_t tile = std::min(kQueries, time - first), count = Seen(row, first, tile, seen.data());
        int64_t place = ((row * time + first) * heads + head) * head_dim;
        TurnQueries(row, head, first, tile, queries.data());
        Weigh(row, first, tile, queries.data(), keys.data(), seen.data(), count, weights.data(),
              cap > 0 ? slopes.data() : nullptr);
        std::memset(d_queries.data(), 0, tile * head_dim * sizeof(float));
        // Of a softmax: p · (dp − Σ p dp), where the sum is that of the result times its gradient.
        float sums[kQueries];
        for (int64_t m = 0; m < tile; m++) sums[m] = Dot(y + place + m * row_of, dy + place + m * row_of, head_dim);
        for (int64_t b = 0; b < count; b++) {
          int64_t block = seen[b], length = std::min(kKeys, time - block);
          float *p = weights.data() + b * kQueries * kKeys, *ds = d_weights.data() + b * kQueries * kKeys;
          std::memset(ds, 0, tile * kKeys * sizeof(float));
          AddProductRows<kKeys / kLanes>(tile, {dy + place, row_of}, values.data() + block, padded, ds, kKeys, head_dim);
          for (int64_t m = 0; m < tile; m++) {
            Floats sum = Broadcast(sums[m]);
            for (int64_t n = m * kKeys; n < (m + 1) * kKeys; n += kLanes) {
              Floats change = At(p + n) * (At(ds + n) - sum);
              At(ds + n) = cap > 0 ? change * At(slopes.data() + b * kQueries * kKeys + n) : change;
            }
          }
          AddProductAny(tile, head_dim, {ds, kKeys}, plain.data() + block * head_dim, head_dim, d_queries.data(), head_dim,
                        length);
          AddProductRows<kKeys / kLanes>(head_dim, {queries.data(), 1, head_dim}, ds, kKeys, d_keys.data() + block, padded,
                                         tile);
          AddProductRows<kKeys / kLanes>(head_dim, {dy + place, 1, row_of}, p, kKeys, d_values.data() + block, padded, tile);
        }
        for (int64_t m = 0; m < tile; m++)
          TurnBack(d_queries.data() + m * head_dim, Turns(cos, row, first + m), Turns(sin, row, first + m), head_dim, scale,
                   dq + place + m * row_of);
      }
    for (int64_t t = 0; t < time; t++) {
      int64_t place = ((row * time + t) * kv_heads + kv) * head_dim;
      for (int64_t d = 0; d < head_dim; d++) line[d] = d_keys[d * padded + t];
      TurnBack(line.data(), Turns(cos, row, t), Turns(sin, row, t), head_dim, 1, dk + place);
      for (int64_t d = 0; d < head_dim; d++) dv[place + d] = d_values[d * padded + t];
    }
  }

  double Operations() const { return 1.0 * batch * heads * time * std::min(time, window) * head_dim; }
};

// The attention of a call whose first inputs are q, k, v, cos, sin, starts and shared.
inline CausalAttention ReadCausalAttention(OpCall& call, const AttentionOptions& options) {
  CausalAttention a;
  for (int i = 0; i < 3; i++) call.Require(call.rank(i) == 3, "q, k and v must have three dimensions");
  call.Require(call.rank(3) > 0 && call.dim(3, call.rank(3) - 1) > 0, "cos must be [1 or batch, time, headDim]");
  if (call.failed()) return a;
  a.scale = options.scale, a.cap = options.cap, a.window = options.Window();
  a.batch = call.dim(0, 0), a.time = call.dim(0, 1), a.head_dim = call.dim(3, call.rank(3) - 1);
  a.heads = call.dim(0, 2) / a.head_dim, a.kv_heads = call.dim(1, 2) / a.head_dim;
  a.padded = (a.time + CausalAttention::kKeys - 1) / CausalAttention::kKeys * CausalAttention::kKeys;
  call.Require(a.kv_heads > 0 && a.heads % a.kv_heads == 0 && a.head_dim % 2 == 0 && call.dim(0, 2) == a.heads * a.head_dim,
               "heads do not divide");
  for (int i = 1; i < 3; i++)
    call.Require(call.dim(i, 0) == a.batch && call.dim(i, 1) == a.time && call.dim(i, 2) == a.kv_heads * a.head_dim,
                 "k and v must be [batch, time, kvHeads * headDim]");
  a.rotations = a.time > 0 ? call.size(3) / (a.time * a.head_dim) : 1;
  for (int i = 3; i < 5; i++)
    call.Require((a.rotations == 1 || a.rotations == a.batch) && call.size(i) == a.rotations * a.time * a.head_dim,
                 "cos and sin must be [1 or batch, time, headDim]");
  int64_t starts = call.size(5), shared = call.size(6);
  call.Require(starts == 0 || starts == a.batch || starts == a.batch * a.time, "starts must be [batch] or [batch, time]");
  call.Require(shared == 0 || shared == a.batch, "shared must be [batch]");
  if (call.failed()) return a;
  a.q = call.floats(0), a.k = call.floats(1), a.v = call.floats(2), a.cos = call.floats(3), a.sin = call.floats(4);
  a.start_of_each = call.rank(5) == 2;
  if (starts > 0) a.starts = call.ints(5);
  if (shared > 0) a.shared = call.ints(6);
  return a;
}

inline void ComputeCausalAttention(void* options, TF_OpKernelContext* context) {
  OpCall call(context, "CausalAttention", 7);
  if (call.failed()) return;
  CausalAttention a = ReadCausalAttention(call, *static_cast<AttentionOptions*>(options));
  if (call.failed()) return;
  float* y = call.OutputLike(0, 0);
  if (call.failed()) return;
  Parallel(a.batch * a.kv_heads, a.Operations(), [&](int64_t part) { a.Forward(part / a.kv_heads, part % a.kv_heads, y); });
}

inline void ComputeCausalAttentionGradient(void* options, TF_OpKernelContext* context) {
  OpCall call(context, "CausalAttentionGradient", 9);
  if (call.failed()) return;
  CausalAttention a = ReadCausalAttention(call, *static_cast<AttentionOptions*>(options));
  call.Require(call.same_shape(7, 0) && call.same_shape(8, 0), "y and dy must have the shape of q");
  if (call.failed()) return;
  float *dq = call.OutputLike(0, 0), *dk = call.OutputLike(1, 1), *dv = call.OutputLike(2, 2);
  if (call.failed()) return;
  Parallel(a.batch * a.kv_heads, 3 * a.Operations(), [&](int64_t part) {
    a.Backward(part / a.kv_heads, part % a.kv_heads, call.floats(7), call.floats(8), dq, dk, dv);
  });
}

// CausalAttention(q [batch, time, heads * headDim], k and v [batch, time, kvHeads * headDim], cos and sin [1 or batch, time,
// headDim], starts int32 [0], [batch] or [batch, time], shared int32 [0] or [batch]) -> like q
//
// A token sees itself and those before it, `window` at most where that is not 0, none before its start but the `shared`
// first ones of its row. The gradient's op takes the result and its gradient besides.
inline void RegisterCausalAttention() {
  Names attributes = {"heads: int", "kv_heads: int", "window: int", "scale: float", "cap: float"};
  auto remove = [](void* options) { delete static_cast<AttentionOptions*>(options); };
  RegisterOp("CausalAttention",
             {"q: float", "k: float", "v: float", "cos: float", "sin: float", "starts: int32", "shared: int32"}, {"y: float"},
             kAttentionAttributes, false, AttentionOptions::Read, ComputeCausalAttention, AttentionOptions::Delete);
  RegisterOp("CausalAttentionGradient",
             {"q: float", "k: float", "v: float", "cos: float", "sin: float", "starts: int32", "shared: int32", "y: float",
              "dy: float"},
             {"dq: float", "dk: float", "dv: float"}, kAttentionAttributes, false, AttentionOptions::Read,
             ComputeCausalAttentionGradient, AttentionOptions::Delete);
}

}  // namespace zerosearch
