// The one reader and writer of process settings in the library (the command line and the kernel aside).

/**
 * TensorFlow reads `ZEROSEARCH_DEVICE` and `ZEROSEARCH_GPU_MEMORY` itself (src/tensor/native/context.h).
 */
export function quietTensorFlowLog(): void {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2'
}

/** `ZEROSEARCH_STATIC=1`: outputs for viewers that show pictures and plain HTML alone. May be set in a cell. */
export function staticOutputs(): boolean {
  return process.env['ZEROSEARCH_STATIC'] === '1'
}
