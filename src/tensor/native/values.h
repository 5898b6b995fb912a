// JavaScript values to C++ and back. Every reader throws a JavaScript error and returns a default on a wrong value;
// callers check ExceptionPending once after reading all of their arguments.
#pragma once

namespace zerosearch {

inline bool ExceptionPending(napi_env env) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  return pending;
}

inline void Throw(napi_env env, const std::string& message) {
  if (!ExceptionPending(env)) napi_throw_error(env, nullptr, message.c_str());
}

// Throws the status' message, with what was being done in front; true where the status is fine.
inline bool Ok(napi_env env, TF_Status* status, const std::string& doing) {
  if (TF_GetCode(status) == TF_OK) return true;
  Throw(env, doing + ": " + TF_Message(status));
  return false;
}

template <size_t N>
void Arguments(napi_env env, napi_callback_info info, napi_value (&values)[N]) {
  size_t count = N;
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  if (count < N) Throw(env, "native call: " + std::to_string(N) + " arguments are needed, got " + std::to_string(count));
}

inline std::string String(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
    Throw(env, "native call: a string is needed");
    return "";
  }
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, &text[0], length + 1, &length);
  return text;
}

inline int64_t Int(napi_env env, napi_value value) {
  int64_t number = 0;
  if (napi_get_value_int64(env, value, &number) != napi_ok) Throw(env, "native call: an integer is needed");
  return number;
}

inline bool Bool(napi_env env, napi_value value) {
  bool flag = false;
  if (napi_get_value_bool(env, value, &flag) != napi_ok) Throw(env, "native call: a boolean is needed");
  return flag;
}

inline napi_value Property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  napi_get_named_property(env, object, name, &value);
  return value;
}

inline bool IsArray(napi_env env, napi_value value) {
  bool array = false;
  napi_is_array(env, value, &array);
  return array;
}

template <typename T, typename Read>
std::vector<T> List(napi_env env, napi_value value, Read read) {
  uint32_t length = 0;
  if (napi_get_array_length(env, value, &length) != napi_ok) Throw(env, "native call: an array is needed");
  std::vector<T> list;
  list.reserve(length);
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    napi_get_element(env, value, i, &element);
    list.push_back(read(env, element));
  }
  return list;
}

inline std::vector<int64_t> Ints(napi_env env, napi_value value) { return List<int64_t>(env, value, Int); }

inline napi_value ToShape(napi_env env, const std::vector<int64_t>& dims) {
  napi_value shape;
  napi_create_array_with_length(env, dims.size(), &shape);
  for (size_t i = 0; i < dims.size(); i++) {
    napi_value dim;
    napi_create_int64(env, dims[i], &dim);
    napi_set_element(env, shape, i, dim);
  }
  return shape;
}

inline void Define(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value value;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  napi_set_named_property(env, exports, name, value);
}

struct Status {
  TF_Status* status = TF_NewStatus();
  ~Status() { TF_DeleteStatus(status); }
  operator TF_Status*() { return status; }
};

// A TensorFlow-owned copy of a typed array. A tensor that shared the array's memory would release it on whichever
// thread drops the last reference, where JavaScript must not be touched.
inline TF_Tensor* CopyToTensor(napi_env env, TF_DataType dtype, const std::vector<int64_t>& shape, napi_value value) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    Throw(env, "upload: a typed array is needed");
    return nullptr;
  }
  size_t bytes = length * (type == napi_float64_array || type == napi_bigint64_array || type == napi_biguint64_array ? 8
                           : type == napi_float32_array || type == napi_int32_array || type == napi_uint32_array    ? 4
                           : type == napi_int16_array || type == napi_uint16_array                                  ? 2
                                                                                                                    : 1);
  size_t elements = 1;
  for (int64_t dim : shape) elements *= dim;
  if (elements * TF_DataTypeSize(dtype) != bytes) {
    Throw(env, "upload: the shape needs " + std::to_string(elements * TF_DataTypeSize(dtype)) + " bytes, the array has " +
                   std::to_string(bytes));
    return nullptr;
  }
  TF_Tensor* tensor = TF_AllocateTensor(dtype, shape.data(), shape.size(), bytes);
  if (bytes) std::memcpy(TF_TensorData(tensor), data, bytes);
  return tensor;
}

}  // namespace zerosearch
