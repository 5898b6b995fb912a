// How scores of attention are made: attributes of its ops, read once when a kernel is made.
#pragma once

#include "op.h"

namespace zerosearch {

struct AttentionOptions {
  float scale = 1, cap = 0;
  int64_t window = 0;

  static void* Read(TF_OpKernelConstruction* construction) {
    auto options = new AttentionOptions;
    Status status;
    ReadAttribute(construction, "scale", &options->scale, status);
    ReadAttribute(construction, "cap", &options->cap, status);
    ReadAttribute(construction, "window", &options->window, status);
    if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
    return options;
  }
  static void Delete(void* options) { delete static_cast<AttentionOptions*>(options); }

  // Tokens that are seen; the attribute 0 stands for all.
  int64_t Window() const { return window > 0 ? window : INT32_MAX; }
};

const Names kAttentionAttributes = {"scale: float", "cap: float", "window: int"};

}  // namespace zerosearch
