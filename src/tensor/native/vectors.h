// Sixteen floats at a time, and products of small matrices made of them: what the ops for the CPU are written in.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace zerosearch {

#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__)
// One copy of the function for each kind of processor; what it calls is inlined into it. Clang takes one of the two alone.
#define ZEROSEARCH_FAST __attribute__((flatten, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ZEROSEARCH_FAST __attribute__((flatten))
#endif
#define ZEROSEARCH_ALWAYS __attribute__((always_inline))
#define ZEROSEARCH_INLINE inline ZEROSEARCH_ALWAYS

typedef float Floats __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t Integers __attribute__((vector_size(64), aligned(4), may_alias));
constexpr int64_t kLanes = 16;
constexpr Integers kLane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
constexpr Floats kOne = Floats{} + 1.0f, kNothing = Floats{} - INFINITY;

// One value in all lanes. To mix a float with vectors instead makes GCC 12 fill the lanes one by one, where a function is
// cloned for several processors: products took five times as long.
static ZEROSEARCH_INLINE Floats Broadcast(float x) {
#ifdef __clang__
  return Floats{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
#else
  return __builtin_shuffle(Floats{x}, Integers{});
#endif
}
static ZEROSEARCH_INLINE Integers Broadcast(int32_t x) {
#ifdef __clang__
  return Integers{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
#else
  return __builtin_shuffle(Integers{x}, Integers{});
#endif
}

static ZEROSEARCH_INLINE Floats& At(float* values) { return *reinterpret_cast<Floats*>(values); }
static ZEROSEARCH_INLINE const Floats& At(const float* values) { return *reinterpret_cast<const Floats*>(values); }

// e^x for x <= 0 (Cephes, expf: relative error 2e-7); 0 below -87.
static ZEROSEARCH_INLINE Floats Exp(Floats x) {
  Integers gone = x < -87.0f;
  x = gone ? kOne * -87.0f : x;
  Floats scaled = x * 1.44269504088896341f - 0.5f;
  Integers exponent = __builtin_convertvector(scaled, Integers);  // towards zero: rounds, since x <= 0
  Floats n = __builtin_convertvector(exponent, Floats);
  Floats r = x - n * 0.693359375f - n * -2.12194440e-4f;
  Floats p = kOne * 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  Integers bits = (exponent + 127) << 23;
  return gone ? Floats{} : p * reinterpret_cast<Floats&>(bits);
}

// A matrix in memory: element (i, j) stands `i * row + j * column` behind `at`.
struct Left {
  const float* at;
  int64_t row, column = 1;
  Left Below(int64_t rows) const { return {at + rows * row, row, column}; }
};

// c[m, n] += sum over i < depth of a[m, i] * b[i, n], for M rows and N vectors of columns, i in its order.
template <int M, int N>
static ZEROSEARCH_INLINE void AddProduct(Left a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t depth) {
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
      Floats left = Broadcast(a.at[m * a.row + i * a.column]);
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
static ZEROSEARCH_INLINE void AddProductRows(int64_t rows, Left a, const float* b, int64_t b_row, float* c, int64_t c_row,
                                             int64_t depth) {
  int64_t m = 0;
  for (; m + 4 <= rows; m += 4) AddProduct<4, N>(a.Below(m), b, b_row, c + m * c_row, c_row, depth);
  if (rows - m == 3) AddProduct<3, N>(a.Below(m), b, b_row, c + m * c_row, c_row, depth);
  if (rows - m == 2) AddProduct<2, N>(a.Below(m), b, b_row, c + m * c_row, c_row, depth);
  if (rows - m == 1) AddProduct<1, N>(a.Below(m), b, b_row, c + m * c_row, c_row, depth);
}

// The same for any number of columns.
static ZEROSEARCH_INLINE void AddProductAny(int64_t rows, int64_t columns, Left a, const float* b, int64_t b_row, float* c,
                                            int64_t c_row, int64_t depth) {
  int64_t n = 0;
  for (; n + 4 * kLanes <= columns; n += 4 * kLanes) AddProductRows<4>(rows, a, b + n, b_row, c + n, c_row, depth);
  for (; n + 2 * kLanes <= columns; n += 2 * kLanes) AddProductRows<2>(rows, a, b + n, b_row, c + n, c_row, depth);
  for (; n + kLanes <= columns; n += kLanes) AddProductRows<1>(rows, a, b + n, b_row, c + n, c_row, depth);
  for (; n < columns; n++)
    for (int64_t m = 0; m < rows; m++)
      for (int64_t i = 0; i < depth; i++) c[m * c_row + n] += a.at[m * a.row + i * a.column] * b[i * b_row + n];
}

// tanh, by e^-2|x|.
static ZEROSEARCH_INLINE Floats Tanh(Floats x) {
  Floats size = x < 0.0f ? -x : x, e = Exp(size * -2.0f), t = (1.0f - e) / (1.0f + e);
  return x < 0.0f ? -t : t;
}

static ZEROSEARCH_INLINE float Sum(Floats x) {
  float lanes[kLanes];
  At(lanes) = x;
#pragma GCC unroll 4
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t n = 0; n < half; n++) lanes[n] += lanes[n + half];
  return lanes[0];
}

static ZEROSEARCH_INLINE float Largest(Floats x) {
  float lanes[kLanes];
  At(lanes) = x;
#pragma GCC unroll 4
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t n = 0; n < half; n++) lanes[n] = lanes[n] > lanes[n + half] ? lanes[n] : lanes[n + half];
  return lanes[0];
}

static ZEROSEARCH_INLINE float Dot(const float* a, const float* b, int64_t count) {
  Floats sums = Floats{};
  int64_t n = 0;
  for (; n + kLanes <= count; n += kLanes) sums += At(a + n) * At(b + n);
  float sum = Sum(sums);
  for (; n < count; n++) sum += a[n] * b[n];
  return sum;
}

// Fewer than sixteen values: those behind them are 0, and are not written.
static ZEROSEARCH_INLINE Floats Load(const float* from, int64_t lanes) {
  if (lanes >= kLanes) return At(from);
  Floats some = Floats{};
  std::memcpy(&some, from, lanes * sizeof(float));
  return some;
}
static ZEROSEARCH_INLINE void Store(Floats values, float* to, int64_t lanes) {
  if (lanes >= kLanes) At(to) = values;
  else std::memcpy(to, &values, lanes * sizeof(float));
}

// Turns a head of a token by its position (rotary embedding, arXiv 2104.09864, halves apart as in Llama): to[d] and
// to[d + half] are a turned pair.
static ZEROSEARCH_INLINE void Turn(const float* from, const float* cos, const float* sin, int64_t head_dim, float factor,
                                   float* to) {
  int64_t half = head_dim / 2;
  Floats times = Broadcast(factor);
  for (int64_t d = 0; d < half; d += kLanes) {
    int64_t lanes = half - d, other = d + half;
    Floats a = Load(from + d, lanes), b = Load(from + other, lanes);
    Store((a * Load(cos + d, lanes) - b * Load(sin + d, lanes)) * times, to + d, lanes);
    Store((b * Load(cos + other, lanes) + a * Load(sin + other, lanes)) * times, to + other, lanes);
  }
}

// The gradient of `Turn`: from that of what was turned to that of what it was made from.
static ZEROSEARCH_INLINE void TurnBack(const float* from, const float* cos, const float* sin, int64_t head_dim,
                                       float factor, float* to) {
  int64_t half = head_dim / 2;
  Floats times = Broadcast(factor);
  for (int64_t d = 0; d < half; d += kLanes) {
    int64_t lanes = half - d, other = d + half;
    Floats a = Load(from + d, lanes), b = Load(from + other, lanes);
    Store((a * Load(cos + d, lanes) + b * Load(sin + other, lanes)) * times, to + d, lanes);
    Store((b * Load(cos + other, lanes) - a * Load(sin + d, lanes)) * times, to + other, lanes);
  }
}

}  // namespace zerosearch
