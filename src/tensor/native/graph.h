// Builds a TF_Graph op by op while JavaScript traces a function (nothing is executed; TensorFlow infers shapes and
// dtypes), and turns it into a function that `call` executes.
#pragma once

namespace zerosearch {

struct Graph {
  TF_Graph* graph = TF_NewGraph();
  std::vector<TF_Operation*> ops;
  ~Graph() { TF_DeleteGraph(graph); }
};

inline Graph* GetGraph(napi_env env, napi_value value) {
  void* graph = nullptr;
  if (napi_get_value_external(env, value, &graph) != napi_ok) Throw(env, "native call: a graph is needed");
  return static_cast<Graph*>(graph);
}

// newGraph() -> graph, freed by the garbage collector
inline napi_value NewGraph(napi_env env, napi_callback_info) {
  napi_value graph;
  napi_create_external(env, new Graph, [](napi_env, void* data, void*) { delete static_cast<Graph*>(data); }, nullptr, &graph);
  return graph;
}

// An output is written [op, index] in JavaScript.
inline TF_Output Output(napi_env env, Graph* graph, napi_value value) {
  std::vector<int64_t> pair = Ints(env, value);
  if (pair.size() != 2 || pair[0] < 0 || pair[0] >= static_cast<int64_t>(graph->ops.size())) {
    Throw(env, "graph: an output is [op, index] of this graph");
    return {nullptr, 0};
  }
  return {graph->ops[pair[0]], static_cast<int>(pair[1])};
}

// Sets one attribute, written {name, type, value} as tfjs-node does, and besides: type lists, {type: 'func', value:
// function name} and {type: 'tensor', value: {dtype, shape, values}}.
inline void SetAttribute(napi_env env, TF_OperationDescription* op, napi_value attribute, TF_Status* status) {
  std::string name = String(env, Property(env, attribute, "name"));
  napi_value type_value = Property(env, attribute, "type"), value = Property(env, attribute, "value");
  napi_valuetype kind;
  napi_typeof(env, type_value, &kind);
  if (kind == napi_string) {
    if (String(env, type_value) == "func") {
      std::string function = String(env, value);
      TF_SetAttrFuncName(op, name.c_str(), function.data(), function.size());
    } else {
      TF_DataType dtype = static_cast<TF_DataType>(Int(env, Property(env, value, "dtype")));
      TF_Tensor* tensor = CopyToTensor(env, dtype, Ints(env, Property(env, value, "shape")), Property(env, value, "values"));
      if (!tensor) return;
      TF_SetAttrTensor(op, name.c_str(), tensor, status);
      TF_DeleteTensor(tensor);
    }
    return;
  }
  bool list = IsArray(env, value);
  switch (Int(env, type_value)) {
    case TF_ATTR_STRING: {
      std::string text = String(env, value);
      TF_SetAttrString(op, name.c_str(), text.data(), text.size());
      break;
    }
    case TF_ATTR_INT:
      if (list) {
        std::vector<int64_t> ints = Ints(env, value);
        TF_SetAttrIntList(op, name.c_str(), ints.data(), ints.size());
      } else {
        TF_SetAttrInt(op, name.c_str(), Int(env, value));
      }
      break;
    case TF_ATTR_FLOAT: {
      double number = 0;
      napi_get_value_double(env, value, &number);
      TF_SetAttrFloat(op, name.c_str(), number);
      break;
    }
    case TF_ATTR_BOOL:
      TF_SetAttrBool(op, name.c_str(), Bool(env, value));
      break;
    case TF_ATTR_TYPE:
      if (list) {
        auto types = List<TF_DataType>(env, value, [](napi_env e, napi_value v) { return static_cast<TF_DataType>(Int(e, v)); });
        TF_SetAttrTypeList(op, name.c_str(), types.data(), types.size());
      } else {
        TF_SetAttrType(op, name.c_str(), static_cast<TF_DataType>(Int(env, value)));
      }
      break;
    case TF_ATTR_SHAPE: {
      std::vector<int64_t> shape = Ints(env, value);
      TF_SetAttrShape(op, name.c_str(), shape.data(), shape.size());
      break;
    }
    default:
      Throw(env, "graph: attribute " + name + " has a type that is not supported");
  }
}

// addOp(graph, opType, attributes, inputs, controlInputs: number[]) -> {op, outputs: {dtype, shape}[]}
// An input is [op, index], or an array of such where the op takes a list. An unknown dimension is -1; an unknown rank
// gives shape null.
inline napi_value AddOp(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  Arguments(env, info, arguments);
  Graph* graph = GetGraph(env, arguments[0]);
  if (ExceptionPending(env)) return nullptr;
  std::string type = String(env, arguments[1]);
  std::string name = "n" + std::to_string(graph->ops.size());
  Status status;
  TF_OperationDescription* description = TF_NewOperation(graph->graph, type.c_str(), name.c_str());
  uint32_t count;
  napi_get_array_length(env, arguments[3], &count);
  for (uint32_t i = 0; i < count; i++) {
    napi_value input, first;
    napi_get_element(env, arguments[3], i, &input);
    uint32_t length = 0;
    napi_get_array_length(env, input, &length);
    bool list = length == 0;
    if (length) {
      napi_get_element(env, input, 0, &first);
      list = IsArray(env, first);
    }
    if (list) {
      auto outputs = List<TF_Output>(env, input, [graph](napi_env e, napi_value v) { return Output(e, graph, v); });
      if (!ExceptionPending(env)) TF_AddInputList(description, outputs.data(), outputs.size());
    } else {
      TF_Output output = Output(env, graph, input);
      if (!ExceptionPending(env)) TF_AddInput(description, output);
    }
  }
  for (int64_t control : Ints(env, arguments[4])) TF_AddControlInput(description, graph->ops.at(control));
  napi_get_array_length(env, arguments[2], &count);
  for (uint32_t i = 0; i < count; i++) {
    napi_value attribute;
    napi_get_element(env, arguments[2], i, &attribute);
    SetAttribute(env, description, attribute, status);
  }
  // The description must be finished even after an error, or it leaks.
  TF_Operation* op = TF_FinishOperation(description, status);
  if (ExceptionPending(env) || !Ok(env, status, type)) return nullptr;
  graph->ops.push_back(op);

  napi_value result, op_value, outputs;
  napi_create_object(env, &result);
  napi_create_int32(env, graph->ops.size() - 1, &op_value);
  napi_set_named_property(env, result, "op", op_value);
  int output_count = TF_OperationNumOutputs(op);
  napi_create_array_with_length(env, output_count, &outputs);
  for (int i = 0; i < output_count; i++) {
    TF_Output output = {op, i};
    napi_value entry, dtype, shape;
    napi_create_object(env, &entry);
    napi_create_int32(env, TF_OperationOutputType(output), &dtype);
    napi_set_named_property(env, entry, "dtype", dtype);
    int rank = TF_GraphGetTensorNumDims(graph->graph, output, status);
    if (rank < 0) {
      napi_get_null(env, &shape);
    } else {
      std::vector<int64_t> dims(rank);
      TF_GraphGetTensorShape(graph->graph, output, dims.data(), rank, status);
      shape = ToShape(env, dims);
    }
    napi_set_named_property(env, entry, "shape", shape);
    napi_set_element(env, outputs, i, entry);
  }
  napi_set_named_property(env, result, "outputs", outputs);
  return result;
}

// setShape(graph, output, shape): tells TensorFlow a shape that it cannot infer, such as that of a variable's value
inline napi_value SetShape(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  Arguments(env, info, arguments);
  Graph* graph = GetGraph(env, arguments[0]);
  if (ExceptionPending(env)) return nullptr;
  TF_Output output = Output(env, graph, arguments[1]);
  std::vector<int64_t> shape = Ints(env, arguments[2]);
  Status status;
  if (!ExceptionPending(env)) {
    TF_GraphSetTensorShape(graph->graph, output, shape.data(), shape.size(), status);
    Ok(env, status, "setShape");
  }
  return nullptr;
}

// addFunction(graph, name, inputs: number[] (placeholder ops), outputs, controlOutputs: number[], flags: string[])
// A flag is the name of an attribute of the function that is true: _XlaMustCompile, _noinline.
inline napi_value AddFunction(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  Arguments(env, info, arguments);
  Graph* graph = GetGraph(env, arguments[0]);
  if (ExceptionPending(env)) return nullptr;
  std::string name = String(env, arguments[1]);
  std::vector<TF_Output> inputs;
  for (int64_t op : Ints(env, arguments[2])) inputs.push_back({graph->ops.at(op), 0});
  auto outputs = List<TF_Output>(env, arguments[3], [graph](napi_env e, napi_value v) { return Output(e, graph, v); });
  std::vector<TF_Operation*> controls;
  for (int64_t op : Ints(env, arguments[4])) controls.push_back(graph->ops.at(op));
  auto flags = List<std::string>(env, arguments[5], String);
  if (ExceptionPending(env)) return nullptr;
  Status status;
  TF_Function* function = TF_GraphToFunctionWithControlOutputs(
      graph->graph, name.c_str(), 0, -1, nullptr, inputs.size(), inputs.data(), outputs.size(), outputs.data(), nullptr,
      controls.size(), controls.data(), nullptr, nullptr, nullptr, status);
  if (!Ok(env, status, name)) return nullptr;
  const char yes[] = {0x28, 0x01};  // AttrValue{b: true}
  for (const std::string& flag : flags) {
    if (TF_GetCode(status) == TF_OK) TF_FunctionSetAttrValueProto(function, flag.c_str(), yes, sizeof yes, status);
  }
  if (TF_GetCode(status) == TF_OK) {
    TFE_ContextAddFunction(tfnodejs::GetTFJSBackend(env)->tfe_context_, function, status);
  }
  TF_DeleteFunction(function);
  Ok(env, status, name);
  return nullptr;
}

// removeFunction(name)
inline napi_value RemoveFunction(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  Arguments(env, info, arguments);
  std::string name = String(env, arguments[0]);
  Status status;
  TFE_ContextRemoveFunction(tfnodejs::GetTFJSBackend(env)->tfe_context_, name.c_str(), status);
  Ok(env, status, name);
  return nullptr;
}

// opList() -> the serialised tensorflow.OpList of every op in the library
inline napi_value AllOps(napi_env env, napi_callback_info) {
  TF_Buffer* list = TF_GetAllOpList();
  napi_value buffer;
  napi_create_buffer_copy(env, list->length, list->data, nullptr, &buffer);
  TF_DeleteBuffer(list);
  return buffer;
}

inline void DefineGraphFunctions(napi_env env, napi_value exports) {
  Define(env, exports, "newGraph", NewGraph);
  Define(env, exports, "addOp", AddOp);
  Define(env, exports, "setShape", SetShape);
  Define(env, exports, "addFunction", AddFunction);
  Define(env, exports, "removeFunction", RemoveFunction);
  Define(env, exports, "opList", AllOps);
}

}  // namespace zerosearch
