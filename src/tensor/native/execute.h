// Calls of compiled functions off the main thread, and uploads. The handle map is touched on the main thread only; the
// worker executes the op and resolves the outputs that JavaScript wants to read.
#pragma once

namespace zerosearch {

struct Call {
  TFE_Op* op = nullptr;
  std::vector<TFE_TensorHandle*> inputs;   // own references: an input may be deleted while the call runs
  std::vector<TFE_TensorHandle*> outputs;
  std::vector<TF_Tensor*> results;
  Status status;
  napi_deferred deferred;
  napi_async_work work;

  ~Call() {
    for (TF_Tensor* tensor : results) if (tensor) TF_DeleteTensor(tensor);
    for (TFE_TensorHandle* handle : outputs) if (handle) TFE_DeleteTensorHandle(handle);
    if (op) TFE_DeleteOp(op);
    for (TFE_TensorHandle* handle : inputs) TFE_DeleteTensorHandle(handle);
  }
};

inline void ExecuteCall(napi_env, void* data) {
  Call* call = static_cast<Call*>(data);
  int count = call->outputs.size();
  TFE_Execute(call->op, call->outputs.data(), &count, call->status);
  if (TF_GetCode(call->status) != TF_OK) return;
  for (size_t i = 0; i < call->outputs.size() && TF_GetCode(call->status) == TF_OK; i++) {
    call->results[i] = TFE_TensorHandleResolve(call->outputs[i], call->status);
  }
}

// {shape, dtype, data: ArrayBuffer}
inline napi_value ToJs(napi_env env, TF_Tensor* tensor) {
  napi_value object, dtype, buffer;
  napi_create_object(env, &object);
  std::vector<int64_t> dims;
  for (int i = 0; i < TF_NumDims(tensor); i++) dims.push_back(TF_Dim(tensor, i));
  napi_set_named_property(env, object, "shape", ToShape(env, dims));
  napi_create_int32(env, TF_TensorType(tensor), &dtype);
  napi_set_named_property(env, object, "dtype", dtype);
  void* bytes;
  napi_create_arraybuffer(env, TF_TensorByteSize(tensor), &bytes, &buffer);
  if (TF_TensorByteSize(tensor)) std::memcpy(bytes, TF_TensorData(tensor), TF_TensorByteSize(tensor));
  napi_set_named_property(env, object, "data", buffer);
  return object;
}

inline void FinishCall(napi_env env, napi_status, void* data) {
  std::unique_ptr<Call> call(static_cast<Call*>(data));
  if (TF_GetCode(call->status) != TF_OK) {
    napi_value message, error;
    napi_create_string_utf8(env, TF_Message(call->status), NAPI_AUTO_LENGTH, &message);
    napi_create_error(env, nullptr, message, &error);
    napi_reject_deferred(env, call->deferred, error);
  } else {
    napi_value results;
    napi_create_array_with_length(env, call->results.size(), &results);
    for (size_t i = 0; i < call->results.size(); i++) napi_set_element(env, results, i, ToJs(env, call->results[i]));
    napi_resolve_deferred(env, call->deferred, results);
  }
  napi_delete_async_work(env, call->work);
}

// call(function: string, inputIds: number[], outputs: number, xla: boolean) -> Promise<{shape, dtype, data}[]>
inline napi_value CallFunction(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  Arguments(env, info, arguments);
  tfnodejs::TFJSBackend* backend = tfnodejs::GetTFJSBackend(env);
  std::string name = String(env, arguments[0]);
  std::vector<int64_t> ids = Ints(env, arguments[1]);
  int64_t outputs = Int(env, arguments[2]);
  bool xla = Bool(env, arguments[3]);
  if (ExceptionPending(env)) return nullptr;

  std::unique_ptr<Call> call(new Call);
  call->op = TFE_NewOp(backend->tfe_context_, name.c_str(), call->status);
  if (!Ok(env, call->status, name)) return nullptr;
  // On a GPU the function is placed there whole; TensorFlow keeps its int32 inputs on the host by itself.
  if (backend->is_gpu_device) TFE_OpSetDevice(call->op, backend->device_name.c_str(), call->status);
  if (xla) TFE_OpSetAttrBool(call->op, "_XlaMustCompile", 1);
  for (int64_t id : ids) {
    auto entry = backend->tfe_handle_map_.find(id);
    if (entry == backend->tfe_handle_map_.end()) {
      Throw(env, name + ": an input was disposed before the call (handle " + std::to_string(id) + ")");
      return nullptr;
    }
    call->inputs.push_back(TFE_TensorHandleCopySharingTensor(entry->second, call->status));
    TFE_OpAddInput(call->op, call->inputs.back(), call->status);
    if (!Ok(env, call->status, name)) return nullptr;
  }
  call->outputs.assign(outputs, nullptr);
  call->results.assign(outputs, nullptr);
  napi_value promise, label;
  napi_create_promise(env, &call->deferred, &promise);
  napi_create_string_utf8(env, "zerosearch call", NAPI_AUTO_LENGTH, &label);
  napi_create_async_work(env, nullptr, label, ExecuteCall, FinishCall, call.get(), &call->work);
  napi_queue_async_work(env, call->work);
  call.release();
  return promise;
}

// upload(dtype: number, shape: number[], values: TypedArray) -> id
inline napi_value Upload(napi_env env, napi_callback_info info) {
  napi_value arguments[3], id;
  Arguments(env, info, arguments);
  tfnodejs::TFJSBackend* backend = tfnodejs::GetTFJSBackend(env);
  TF_DataType dtype = static_cast<TF_DataType>(Int(env, arguments[0]));
  std::vector<int64_t> shape = Ints(env, arguments[1]);
  if (ExceptionPending(env)) return nullptr;
  TF_Tensor* tensor = CopyToTensor(env, dtype, shape, arguments[2]);
  if (!tensor) return nullptr;
  Status status;
  TFE_TensorHandle* handle = TFE_NewTensorHandle(tensor, status);
  TF_DeleteTensor(tensor);
  if (!Ok(env, status, "upload")) return nullptr;
  if (backend->is_gpu_device && dtype != TF_INT32) {
    TFE_TensorHandle* moved =
        TFE_TensorHandleCopyToDevice(handle, backend->tfe_context_, backend->device_name.c_str(), status);
    TFE_DeleteTensorHandle(handle);
    if (!Ok(env, status, "upload")) return nullptr;
    handle = moved;
  }
  napi_create_int32(env, backend->InsertHandle(handle), &id);
  return id;
}

// deviceName() -> string, the full TensorFlow name of the device that compiled functions run on
inline napi_value DeviceName(napi_env env, napi_callback_info) {
  napi_value name;
  napi_create_string_utf8(env, tfnodejs::GetTFJSBackend(env)->device_name.c_str(), NAPI_AUTO_LENGTH, &name);
  return name;
}

struct Release {
  double share;
  napi_deferred deferred;
  napi_async_work work;
};

inline void ExecuteRelease(napi_env, void* data) {
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 33)
  struct mallinfo2 info = mallinfo2();
  double used = info.uordblks + info.hblkhd;
  if (info.fordblks <= static_cast<Release*>(data)->share * used) return;
#endif
  malloc_trim(0);
#endif
}

// releaseMemory(share: number) -> Promise<void>: gives the system back what was freed, where that is more than this share
// of what is used. glibc keeps it otherwise: with every new shape there are more holes that nothing fits into.
inline napi_value ReleaseMemory(napi_env env, napi_callback_info info) {
  napi_value arguments[1], promise, label;
  Arguments(env, info, arguments);
  std::unique_ptr<Release> release(new Release);
  if (napi_get_value_double(env, arguments[0], &release->share) != napi_ok) Throw(env, "releaseMemory: a share is needed");
  if (ExceptionPending(env)) return nullptr;
  napi_create_promise(env, &release->deferred, &promise);
  napi_create_string_utf8(env, "zerosearch release", NAPI_AUTO_LENGTH, &label);
  napi_create_async_work(
      env, nullptr, label, ExecuteRelease,
      [](napi_env env, napi_status, void* data) {
        std::unique_ptr<Release> release(static_cast<Release*>(data));
        napi_value undefined;
        napi_get_undefined(env, &undefined);
        napi_resolve_deferred(env, release->deferred, undefined);
        napi_delete_async_work(env, release->work);
      },
      release.get(), &release->work);
  napi_queue_async_work(env, release->work);
  release.release();
  return promise;
}

inline void DefineExecuteFunctions(napi_env env, napi_value exports) {
  Define(env, exports, "call", CallFunction);
  Define(env, exports, "upload", Upload);
  Define(env, exports, "deviceName", DeviceName);
  Define(env, exports, "releaseMemory", ReleaseMemory);
}

}  // namespace zerosearch
