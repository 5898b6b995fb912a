/** One process that worked on a run: what it was made of, and where. */
export interface RunSession {
  /** When it began, ISO 8601. */
  started: string
  /** Updates that were made before. */
  updatesBefore: number
  /** Version of this package. */
  zerosearch: string
  node: string
  /** Version of TensorFlow's library. */
  tensorflow: string
  /** Of the working folder, where git knows it. */
  git?: {
    /** The commit that is checked out. */
    commit: string
    /** True where tracked files differ from it. */
    dirty: boolean
  }
  machine: {
    /** As Node calls it: `linux`. */
    platform: string
    /** As Node calls it: `x64`. */
    arch: string
    cpu: string
    /** Logical processors. */
    cores: number
    memoryBytes: number
  }
}

/** The update of a run, or the step of a fine-tuning, after which its policy was best. */
export interface BestUpdate {
  /** What is measured: a name in the update's `metrics`, a field of its record, or one of its `measures`. */
  metric: string
  /** The highest so far; of a held-out loss the lowest. */
  value: number
  update: number
}

/**
 * `running`: a process writes it; `done`: all its updates are made; `failed`: an error ended it; `stopped`: by the stop button,
 * or its process was killed; `damaged`: it cannot be read.
 */
export type RunStatus = 'running' | 'done' | 'failed' | 'stopped' | 'damaged'

/** A saved run in one row. What its folder does not say is null. */
export interface RunSummary {
  /** The folder, as it was named. */
  folder: string
  status: RunStatus
  /** The function that made it. */
  kind: 'train' | 'finetune' | null
  /** Of a fine-tuning `sft`. */
  algorithm: string | null
  /** Name of the policy. */
  model: string | null
  /** Updates, or steps of a fine-tuning, made and saved. */
  updates: number | null
  /** Those that the run is to have. */
  planned: number | null
  /** Mean reward of the last update. */
  reward: number | null
  /** Mean exact match of the last update's rollouts. */
  em: number | null
  /** Held-out loss of a fine-tuning when it was last measured. */
  heldOutLoss: number | null
  /** The best update, where the run keeps it (`keepBest`, of a fine-tuning `patience`). */
  best: BestUpdate | null
  /** Seconds of all updates: rollouts, optimization and compilation; of a fine-tuning its steps. */
  seconds: number | null
  seed: number | null
  /** When its first process began, ISO 8601. */
  started: string | null
  /** What is wrong with it, or the error that ended it. */
  fault: string | null
}

/** Where two runs first part. */
export interface RunDifference {
  /** What was found, in a sentence. */
  conclusion: string
  /** True where no value differs and both have the same number of updates, or steps. */
  identical: boolean
  /** Number of those that both have. */
  compared: number
  /** Settings and inputs that differ. */
  settings: string[]
  /** The first record that differs; absent where none does. */
  record?: {
    /** Number of the update, or of the step. */
    update: number
    /** The first field that differs, such as `reward` or `measures.maxRatio`. */
    field: string
    /** Its value in the first run and in the second; undefined where it has none. */
    values: [unknown, unknown]
  }
  /** The first trajectory that differs, where both runs saved theirs. */
  trajectory?: {
    update: number
    /** Its place in the update, from 0. */
    rollout: number
    questionId: string
    /** The first field that differs, such as `ids` or `logprobs`. */
    field: string
    /** The place of the first token that differs, from 0, where the field has a value for each token. */
    token?: number
    /** The value in the first run and in the second, of this token where there is one. */
    values: [unknown, unknown]
  }
}
