// What the ops for the CPU have in common: a call's tensors, threads, registration.
#pragma once

#include <algorithm>
#include <atomic>
#include <initializer_list>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"

namespace zerosearch {

// Calls work(part) for every part on as many threads as they are worth, the caller's among them. `operations` are those of
// all parts together: a thread takes some 20 µs to start, and a million operations take longer.
template <typename Work>
void Parallel(int64_t parts, double operations, const Work& work) {
  std::atomic<int64_t> next{0};
  auto serve = [&] {
    for (int64_t part; (part = next++) < parts;) work(part);
  };
  int64_t worth = static_cast<int64_t>(std::min(operations / 1e6, 1e6));
  int64_t threads = std::min({parts, worth, static_cast<int64_t>(std::thread::hardware_concurrency())});
  std::vector<std::thread> helpers;
  try {
    for (int64_t i = 1; i < threads; i++) helpers.emplace_back(serve);
  } catch (const std::system_error&) {
    // The system gives no more threads: those that there are do the work.
  }
  serve();
  for (std::thread& helper : helpers) helper.join();
}

// The tensors of one call of an op. The first fault is what the call fails with; nothing is computed after it.
class OpCall {
 public:
  OpCall(TF_OpKernelContext* context, const char* op, int inputs) : context_(context), op_(op), inputs_(inputs) {
    for (int i = 0; i < inputs && !failed_; i++) {
      TF_GetInput(context, i, &inputs_[i], status_);
      if (TF_GetCode(status_) != TF_OK) Fail("");
    }
  }
  ~OpCall() {
    for (TF_Tensor* tensor : inputs_) if (tensor) TF_DeleteTensor(tensor);
    for (TF_Tensor* tensor : outputs_) TF_DeleteTensor(tensor);
  }
  bool failed() const { return failed_; }
  void Fail(const std::string& rule) {
    if (failed_) return;
    failed_ = true;
    if (TF_GetCode(status_) == TF_OK) TF_SetStatus(status_, TF_INVALID_ARGUMENT, (op_ + ": " + rule).c_str());
    TF_OpKernelContext_Failure(context_, status_);
  }
  void Require(bool holds, const std::string& rule) {
    if (!holds) Fail(rule);
  }
  int rank(int input) const { return TF_NumDims(inputs_[input]); }
  int64_t dim(int input, int axis) const { return TF_Dim(inputs_[input], axis); }
  int64_t size(int input) const { return TF_TensorElementCount(inputs_[input]); }
  bool same_shape(int a, int b) const {
    if (rank(a) != rank(b)) return false;
    for (int axis = 0; axis < rank(a); axis++) if (dim(a, axis) != dim(b, axis)) return false;
    return true;
  }
  float* floats(int input) const { return static_cast<float*>(TF_TensorData(inputs_[input])); }
  int32_t* ints(int input) const { return static_cast<int32_t*>(TF_TensorData(inputs_[input])); }
  // A new result; null where there is no memory for it.
  float* Output(int index, const std::vector<int64_t>& shape) {
    size_t bytes = sizeof(float);
    for (int64_t size : shape) bytes *= size;
    TF_Tensor* tensor = TF_AllocateOutput(context_, index, TF_FLOAT, shape.data(), shape.size(), bytes, status_);
    if (TF_GetCode(status_) != TF_OK) {
      Fail("");
      return nullptr;
    }
    outputs_.push_back(tensor);
    return static_cast<float*>(TF_TensorData(tensor));
  }
  // A new result of an input's shape.
  float* OutputLike(int index, int input) {
    std::vector<int64_t> shape;
    for (int axis = 0; axis < rank(input); axis++) shape.push_back(dim(input, axis));
    return Output(index, shape);
  }

 private:
  TF_OpKernelContext* context_;
  std::string op_;
  std::vector<TF_Tensor*> inputs_, outputs_;
  Status status_;
  bool failed_ = false;
};

// An attribute of an op, read once when its kernel is made.
inline void ReadAttribute(TF_OpKernelConstruction* construction, const char* name, float* value, Status& status) {
  TF_OpKernelConstruction_GetAttrFloat(construction, name, value, status);
}
inline void ReadAttribute(TF_OpKernelConstruction* construction, const char* name, int64_t* value, Status& status) {
  TF_OpKernelConstruction_GetAttrInt64(construction, name, value, status);
}

using Names = std::initializer_list<const char*>;

// Registers an op and its kernel for the CPU. Its results' shapes are the caller's to know.
inline void RegisterOp(const char* name, Names inputs, Names outputs, Names attributes, bool stateful,
                       void* (*create)(TF_OpKernelConstruction*), void (*compute)(void*, TF_OpKernelContext*),
                       void (*remove)(void*)) {
  Status status;
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(name);
  for (const char* input : inputs) TF_OpDefinitionBuilderAddInput(op, input);
  for (const char* attribute : attributes) TF_OpDefinitionBuilderAddAttr(op, attribute);
  for (const char* output : outputs) TF_OpDefinitionBuilderAddOutput(op, output);
  TF_OpDefinitionBuilderSetIsStateful(op, stateful);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, [](TF_ShapeInferenceContext* context, TF_Status* status) {
    TF_ShapeInferenceContextSetUnknownShape(context, status);
  });
  TF_RegisterOpDefinition(op, status);
  TF_RegisterKernelBuilder(name, TF_NewKernelBuilder(name, "CPU", create, compute, remove), status);
}

}  // namespace zerosearch
