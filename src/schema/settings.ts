/**
 * The one reader and writer of process settings in the library (the command line and the kernel aside).
 * TensorFlow reads `ZEROSEARCH_DEVICE` and `ZEROSEARCH_GPU_MEMORY` itself (src/tensor/native/context.h).
 */
export function quietTensorFlowLog(): void {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2'
}
