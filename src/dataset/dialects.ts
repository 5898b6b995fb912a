import type { Dialect } from './dialect.js'
import { flashragDialect } from './dialects/flashrag.js'
import { hotpotDialect } from './dialects/hotpotqa.js'
import { ircotDialect } from './dialects/ircot.js'
import { kiltDialect } from './dialects/kilt.js'
import { musiqueDialect } from './dialects/musique.js'
import { plainDialect } from './dialects/plain.js'
import { popqaDialect } from './dialects/popqa.js'
import { triviaqaDialect } from './dialects/triviaqa.js'
import { verlDialect } from './dialects/verl.js'
import { zerosearchDialect } from './dialects/zerosearch.js'

/** Every shape that is known; the first that matches a row reads it, so that the general one is last. */
export const DIALECTS: readonly Dialect[] = [
  zerosearchDialect,
  verlDialect,
  flashragDialect,
  hotpotDialect,
  musiqueDialect,
  triviaqaDialect,
  popqaDialect,
  ircotDialect,
  kiltDialect,
  plainDialect(),
]
