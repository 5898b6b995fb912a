// The project's build of tfjs-node's native binding, in one compilation unit: tfjs-node's own sources, unchanged, plus
// what `compile()` needs (graph.h), calls off the main thread (execute.h), ops for the CPU (cached-attention.h,
// causal-attention.h, row-ops.h) and the configuration of the device (context.h). Built by kernel/setup against the TensorFlow library of the PyPI wheel.
#include <node_api.h>

#ifdef __linux__
#include <malloc.h>
#endif

#include <climits>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"

#include "context.h"

// tfjs-node makes its context with default options; ours carry the device configuration.
#define TFE_NewContext zerosearch::NewConfiguredContext
// The handle map of the backend is private there; functions called from here share it with eager ops.
#define private public
#include "binding/tfjs_backend.h"
#undef private
#undef NAPI_MODULE
#define NAPI_MODULE(name, init)
#include "binding/tfjs_backend.cc"
#include "binding/tfjs_binding.cc"
#undef TFE_NewContext

#include "values.h"

#include "cached-attention.h"
#include "causal-attention.h"
#include "execute.h"
#include "graph.h"
#include "row-ops.h"

NAPI_MODULE_INIT() {
  tfnodejs::InitTFNodeJSBinding(env, exports);
  if (zerosearch::ExceptionPending(env)) return nullptr;
  static bool registered = false;
  if (!registered) {
    registered = true;
    zerosearch::RegisterCachedAttention();
    zerosearch::RegisterCausalAttention();
    zerosearch::RegisterRowOps();
  }
  zerosearch::DefineGraphFunctions(env, exports);
  zerosearch::DefineExecuteFunctions(env, exports);
  return exports;
}
