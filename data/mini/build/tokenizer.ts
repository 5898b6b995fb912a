// Trains the mini world's tokenizer on training text: writes ../tokenizer/. Run: npm run mini:tokenizer
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createRandom } from '../../../src/random/seeded-random.js'
import { PERFECT } from './behaviours.js'
import { trainTokenizer } from './bpe.js'
import { policyText } from './examples.js'
import { END_OF_TEXT, SPECIAL } from './special-tokens.js'
import { trainingSource } from './source.js'
import { syntheticName } from './synthetic.js'

const SIZE = 2048
const folder = fileURLToPath(new URL('../tokenizer/', import.meta.url))
const random = createRandom(1)
const source = trainingSource()
const options = {
  odds: PERFECT,
  noise: 0.2,
  documents: 5,
  real: 0.5,
  hops: [0.6, 0.3, 0.1],
  informationWeight: 0,
  copies: 0,
  drills: 0,
}
const texts = Array.from({ length: 6000 }, () => policyText(random, source, options))
for (const name of source.base.names) texts.push(` ${name}`, ` ${name}`)
for (let i = 0; i < 4000; i++) texts.push(` ${syntheticName(random)}`)
mkdirSync(folder, { recursive: true })
writeFileSync(`${folder}tokenizer.json`, `${JSON.stringify(trainTokenizer(texts, SIZE, SPECIAL))}\n`)
const config = { tokenizer_class: 'PreTrainedTokenizerFast', eos_token: END_OF_TEXT, pad_token: END_OF_TEXT }
writeFileSync(`${folder}tokenizer_config.json`, `${JSON.stringify(config, null, 2)}\n`)
