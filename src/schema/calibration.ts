import type { Document, Quality } from './document.js'

/** How many of how many, with a 95 % interval (Wilson). Of none there is neither share nor interval. */
export interface Share {
  /** How many. */
  count: number
  /** Of how many. */
  of: number
  /** `count / of`; null of none. */
  share: number | null
  /** Lower end of the interval. */
  low: number | null
  /** Upper end of the interval. */
  high: number | null
}

/** One search of a calibration, with all that its measures are made of. */
export interface CalibratedSearch {
  /** `id` of the question. */
  questionId: string
  /** The question itself. */
  question: string
  /** Its accepted answers. */
  goldAnswers: string[]
  /** What was searched for. */
  query: string
  /** What the simulator was asked for; `real` for the reference engine. */
  quality: Quality | 'real'
  /** What was found, at most as many as were asked for. */
  documents: Document[]
  /** What the engine received, where fewer documents than wanted could be read in it. */
  text?: string
  /** From asking to the answer, without `compileSeconds` of the calibration. */
  seconds: number
  /** Tokens that the simulator's LLM read and wrote, where the engine tells. */
  tokens?: { prompt: number; completion: number }
  /** What it cost, where the price is known. */
  cost?: number
  /** Why there are no documents, where the search failed. */
  failure?: string
}

/** How far the documents of a simulator are from those of a real engine in style. Texts are compared, without titles. */
export interface StyleDistance {
  /** Jensen–Shannon divergence of the character trigrams of both, in bits, in [0, 1]: 0 where they are equally frequent. */
  divergence: number
  /** What the divergence would be if both came from one source: samples differ too. The mean of ten random divisions. */
  divergenceByChance: number
  /**
   * How often a classifier tells a document it never saw from a real one (classifier two-sample test, Lopez-Paz & Oquab 2017);
   * 0.5 is guessing. Null of too few documents.
   */
  told: (Share & { /** One-sided, binomial: how likely guessing does as well. */ pValue: number }) | null
}

/** Measures of the documents of one kind: useful, noisy, or a real engine's. */
export interface DocumentMeasures {
  /** Searches that were made. */
  searches: number
  /** Searches that failed; they count nowhere else. */
  failed: number
  /** Searches with at least one document that holds a gold answer (`containsAnswer`). */
  holdsAnswer: Share
  /** Documents that hold one. Those of one search resemble each other: the interval is narrower than it ought to be. */
  documentHoldsAnswer: Share
  /** Searches with a document that holds the gold answer of the next question: what chance gives. */
  holdsAnswerByChance: Share
  /** Documents that could be read, of those that were asked for. */
  parsed: Share
  /** Searches that were answered with documents and all of them. */
  complete: Share
  /** Words of a document. */
  words: { mean: number | null; deviation: number | null }
  /** Different words of 500, over documents that are drawn from all (distinct-1, Li et al. 2016); null of fewer words. */
  distinct1: number | null
  /** Different pairs of neighbouring words, of the same documents (distinct-2). */
  distinct2: number | null
  /** Documents that say what a document before them says, in this search or another. */
  repeated: Share
  /** How much two documents of one search share: Jaccard index of their pairs of words (resemblance, Broder 1997), mean. */
  resemblance: number | null
  /** Seconds of a search, as whoever asks sees them. */
  seconds: { median: number | null; p95: number | null }
  /** Mean tokens of a search, where the engine tells. */
  tokens?: { prompt: number; completion: number }
  /** Mean cost of a search, where the price is known. */
  cost?: number
}

/** A simulator measured against a real engine; see `calibrateSimulator`. */
export interface Calibration {
  /** Name of the simulator. */
  simulator: string
  /** Name of the reference engine. */
  reference: string
  /** Number of questions. */
  questions: number
  /** Documents asked for in each search. */
  topK: number
  /** Searches that were in work at a time: seconds depend on it. */
  concurrency: number
  /** Seconds in which models in this process were compiled meanwhile; 0 behind a server. They are in no search's seconds. */
  compileSeconds: number
  /** Useful documents. */
  useful: DocumentMeasures
  /** Noisy documents. */
  noisy: DocumentMeasures
  /** Those of the reference engine. */
  real: DocumentMeasures
  /** How far useful and noisy documents are from real ones. */
  style: { useful: StyleDistance | null; noisy: StyleDistance | null }
  /** Every search: what was measured can be looked at. */
  searches: CalibratedSearch[]
}
