// Attention over cached keys and values, on the CPU: the op `CachedAttention`. TensorFlow's own ops would copy what is
// cached of the conversations that are computed, and compute all of its width for each; this one reads it where it lies,
// as far as it is filled. What a token gets does not depend on what else is computed, nor on the width, bit for bit: every
// sum goes over the positions in their order.
#pragma once

#include <cstring>

#include "attention-options.h"
#include "op.h"
#include "vectors.h"

namespace zerosearch {

// Keys lie in blocks of this many positions, [headDim, 64] each, so that a product with them reads on and on.
constexpr int64_t kBlock = 64;
// Queries that are served by one reading of a block.
constexpr int64_t kTile = 16;

// Segments are runs of tokens that follow one another, in one slot each.
struct CachedAttention {
  int64_t tokens, heads, kv_heads, head_dim, segments, slots, width;
  float scale, cap;
  int64_t window;
  const float *q, *k, *v, *cos, *sin;
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
      int64_t token = start[segment] + t;
      Turn(q + (token * heads + head) * head_dim, cos + token * head_dim, sin + token * head_dim, head_dim, scale,
           queries + m * head_dim);
      last[m] = position[segment] + t;
      end = std::max(end, last[m] + 1);
      begin = std::min(begin, std::max<int64_t>(0, last[m] + 1 - window));
      highest[m] = -INFINITY;
      total[m] = 0;
    }
    std::memset(sums, 0, tile * head_dim * sizeof(float));
    for (int64_t block = begin / kBlock * kBlock; block < end; block += kBlock) {
      std::memset(scores, 0, tile * kBlock * sizeof(float));
      AddProductRows<kBlock / kLanes>(tile, {queries, head_dim}, own_keys + block * head_dim, kBlock, scores, kBlock, head_dim);
      for (int64_t m = 0; m < tile; m++) {
        float* score = scores + m * kBlock;
        int64_t seen_from = last[m] + 1 - window - block, seen_to = last[m] + 1 - block;
        if (cap > 0) {
          Floats bound = Broadcast(cap);
          for (int64_t n = 0; n < kBlock; n += kLanes) At(score + n) = Tanh(At(score + n) / bound) * bound;
        }
        if (seen_from > 0 || seen_to < kBlock) {
          Integers key = kLane, from = Broadcast(static_cast<int32_t>(seen_from)), to = Broadcast(static_cast<int32_t>(seen_to));
          for (int64_t n = 0; n < kBlock; n += kLanes, key += 16)
            At(score + n) = (key < from) | (key >= to) ? kNothing : At(score + n);
        }
        Floats best = kNothing;
        for (int64_t n = 0; n < kBlock; n += kLanes) {
          Floats x = At(score + n);
          best = x > best ? x : best;
        }
        float before = highest[m];
        highest[m] = std::max(before, Largest(best));
        if (highest[m] == -INFINITY) {
          std::memset(score, 0, kBlock * sizeof(float));
          continue;
        }
        Floats sum = Floats{}, most = Broadcast(highest[m]);
        for (int64_t n = 0; n < kBlock; n += kLanes) sum += At(score + n) = Exp(At(score + n) - most);
        if (before != highest[m]) {
          float factor = Exp(Broadcast(before - highest[m]))[0];
          total[m] *= factor;
          for (int64_t d = 0; d < head_dim; d++) sums[m * head_dim + d] *= factor;
        }
        total[m] += Sum(sum);
      }
      AddProductAny(tile, head_dim, {scores, kBlock}, own_values + block * head_dim, head_dim, sums, head_dim,
                    std::min(kBlock, end - block));
    }
    for (int64_t m = 0; m < tile; m++)
      for (int64_t d = 0; d < head_dim; d++) sums[m * head_dim + d] /= total[m];
  }

  // Puts the new keys and values of one segment and key head into the cache. `turned` holds head_dim values.
  ZEROSEARCH_INLINE void Remember(int64_t segment, int64_t kv, float* turned) const {
    int64_t place = (slot[segment] * kv_heads + kv) * width * head_dim;
    for (int64_t t = 0; t < count[segment]; t++) {
      int64_t at = position[segment] + t, token = start[segment] + t, source = (token * kv_heads + kv) * head_dim;
      float* block = keys + place + at / kBlock * kBlock * head_dim + at % kBlock;
      Turn(k + source, cos + token * head_dim, sin + token * head_dim, head_dim, 1, turned);
      for (int64_t d = 0; d < head_dim; d++) block[d * kBlock] = turned[d];
      std::memcpy(values + place + at * head_dim, v + source, head_dim * sizeof(float));
    }
  }

  // One segment and key head. `scratch` holds 2 * kTile * head_dim values.
  ZEROSEARCH_FAST void Part(int64_t segment, int64_t kv, float* scratch) const {
    int64_t group = heads / kv_heads, length = count[segment], queries = group * length;
    float* sums = scratch + kTile * head_dim;
    Remember(segment, kv, scratch);
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
    Parallel(parts, work, [&](int64_t part) {
      if (count[part / kv_heads] == 0) return;
      std::vector<float> scratch(2 * kTile * head_dim);
      Part(part / kv_heads, part % kv_heads, scratch.data());
    });
  }
};

inline void ComputeCachedAttention(void* kernel, TF_OpKernelContext* context) {
  enum { kQ, kK, kV, kCos, kSin, kKeys, kValues, kSlot, kPosition, kStart, kCount, kInputs };
  auto options = static_cast<AttentionOptions*>(kernel);
  OpCall call(context, "CachedAttention", kInputs);
  if (call.failed()) return;
  for (int i : {kQ, kK, kV}) call.Require(call.rank(i) == 3 && call.dim(i, 0) == 1, "q, k and v must be [1, tokens, width]");
  call.Require(call.rank(kKeys) == 4 && call.same_shape(kKeys, kValues), "keys and values must have one shape of four dimensions");
  if (call.failed()) return;
  CachedAttention a;
  a.slots = call.dim(kKeys, 0), a.kv_heads = call.dim(kKeys, 1), a.width = call.dim(kKeys, 2), a.head_dim = call.dim(kKeys, 3);
  a.tokens = call.dim(kQ, 1), a.heads = call.dim(kQ, 2) / a.head_dim, a.segments = call.size(kSlot);
  a.scale = options->scale, a.cap = options->cap, a.window = options->Window();
  call.Require(call.dim(kQ, 2) == a.heads * a.head_dim && a.heads % a.kv_heads == 0 && a.width % kBlock == 0 && a.head_dim % 2 == 0,
               "heads or width do not divide");
  for (int i : {kK, kV})
    call.Require(call.dim(i, 1) == a.tokens && call.dim(i, 2) == a.kv_heads * a.head_dim, "k and v must be [1, tokens, kvHeads * headDim]");
  for (int i : {kCos, kSin}) call.Require(call.size(i) == a.tokens * a.head_dim, "cos and sin must be [tokens, headDim]");
  for (int i : {kPosition, kStart, kCount})
    call.Require(call.size(i) == a.segments, "slot, position, start and count must be as long as one another");
  if (call.failed()) return;
  a.q = call.floats(kQ), a.k = call.floats(kK), a.v = call.floats(kV), a.cos = call.floats(kCos), a.sin = call.floats(kSin);
  a.keys = call.floats(kKeys), a.values = call.floats(kValues);
  a.slot = call.ints(kSlot), a.position = call.ints(kPosition), a.start = call.ints(kStart), a.count = call.ints(kCount);
  for (int64_t i = 0; i < a.segments; i++) {
    int64_t slot = a.slot[i], position = a.position[i], start = a.start[i], count = a.count[i];
    call.Require(slot >= 0 && slot < a.slots && position >= 0 && count >= 0 && position + count <= a.width,
                 "segment " + std::to_string(i) + " lies outside of the cache");
    call.Require(start >= 0 && start + count <= a.tokens, "segment " + std::to_string(i) + " lies outside of the tokens");
  }
  if (call.failed()) return;
  a.out = call.OutputLike(0, kQ);
  if (call.failed()) return;
  // Tokens of no segment are padding.
  std::memset(a.out, 0, a.tokens * a.heads * a.head_dim * sizeof(float));
  a.Run();
}

// CachedAttention(q [1, tokens, heads * headDim], k and v [1, tokens, kvHeads * headDim], cos and sin [tokens, headDim], keys and
// values [slots, kvHeads, width, headDim], slot, position, start and count int32 [segments]) -> like q
//
// Queries and keys are turned by cos and sin. Segment i is tokens [start, start + count): their keys and values go into its slot
// of the cache, from `position` on, in place, and each sees what lies before it there and itself; `window` of these at most,
// where that is not 0. Segments are of different slots, and do not overlap; what a token of no segment gets is 0.
inline void RegisterCachedAttention() {
  // It changes the cache: no optimiser may drop it, or take two for one.
  bool stateful = true;
  RegisterOp("CachedAttention",
             {"q: float", "k: float", "v: float", "cos: float", "sin: float", "keys: float", "values: float", "slot: int32",
              "position: int32", "start: int32", "count: int32"},
             {"mixed: float"}, kAttentionAttributes, stateful, AttentionOptions::Read, ComputeCachedAttention,
             AttentionOptions::Delete);
}

}  // namespace zerosearch
