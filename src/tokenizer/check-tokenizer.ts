import type { Tokenizer } from './tokenizer.js'

/**
 * @param model Its number of embedding rows. More rows than ids are usual: rows are padded to a round number.
 * @throws where the tokenizer can give ids that the model has no embedding for
 */
export function checkTokenizer(tokenizer: Tokenizer, model: { vocabSize: number }): void {
  if (tokenizer.vocabSize <= model.vocabSize) return
  throw new Error(
    `check tokenizer: the tokenizer has ${tokenizer.vocabSize} ids, the model ${model.vocabSize} embedding rows; ` +
      'they do not belong together',
  )
}
