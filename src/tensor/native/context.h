// Device configuration, read once when the context is made (it cannot change afterwards):
//   ZEROSEARCH_DEVICE       'cpu', or the number of the GPU to use (default: the first GPU, else the CPU)
//   ZEROSEARCH_GPU_MEMORY   fraction of the GPU's memory to take; default: grow as needed, so that a second process
//                           (a simulator, say) can share the GPU
#pragma once

namespace zerosearch {

// tensorflow.ConfigProto, written by hand on the wire: device_count = 1 {key = 1, value = 2}, gpu_options = 6
// {per_process_gpu_memory_fraction = 1, allow_growth = 4, visible_device_list = 5}, allow_soft_placement = 7.
inline std::string DeviceConfig() {
  const char* device = std::getenv("ZEROSEARCH_DEVICE");
  const char* memory = std::getenv("ZEROSEARCH_GPU_MEMORY");
  std::string config("\x38\x01", 2);
  if (device && std::strcmp(device, "cpu") == 0) {
    config += std::string("\x0a\x07\x0a\x03GPU\x10\x00", 9);
    return config;
  }
  std::string gpu;
  if (memory) {
    double fraction = std::atof(memory);
    gpu += '\x09';
    gpu.append(reinterpret_cast<const char*>(&fraction), sizeof fraction);
  } else {
    gpu += std::string("\x20\x01", 2);
  }
  std::string visible = device && *device ? device : "0";
  gpu += '\x2a';
  gpu += static_cast<char>(visible.size());
  gpu += visible;
  config += '\x32';
  config += static_cast<char>(gpu.size());
  return config + gpu;
}

inline TFE_Context* NewConfiguredContext(TFE_ContextOptions* options, TF_Status* status) {
#ifdef __GLIBC__
  // Large blocks are taken from the heap, which keeps them until releaseMemory: mapping them anew at each step costs a
  // page fault for every 4 KB, up to half of a step's time.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
  std::string config = DeviceConfig();
  TFE_ContextOptionsSetConfig(options, config.data(), config.size(), status);
  if (TF_GetCode(status) != TF_OK) return nullptr;
  return TFE_NewContext(options, status);
}

}  // namespace zerosearch
