import { expect, it } from 'vitest'
import type { Turn } from '../../src/schema/trajectory.js'
import type { TokenSource } from '../../src/schema/token-view.js'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.js'
import { tokenOrigins } from '../../src/train/token-sources.js'
import { letterTokenizer } from '../tiny-model.js'

const chat: Tokenizer = {
  ...letterTokenizer,
  hasChatTemplate: true,
  specialTokens: ['<s>'],
  renderPrompt: (messages) => `<s>user: ${messages.map(({ content }) => content).join('')} assistant:`,
}
const search: Turn = { text: '', action: { kind: 'search', query: 'q' }, observation: { text: '', documents: [] } }
const invalid: Turn = { ...search, action: { kind: 'invalid', cause: 'no tag' } }

/** The source of each text, where `policy` texts begin with a star. */
function sources(prompt: string[], rest: string[], turns: Turn[], tokenizer: Tokenizer = chat): TokenSource[] {
  const texts = [...prompt, ...rest]
  const lossMask = texts.map((text) => (text.startsWith('*') ? 1 : 0))
  return tokenOrigins({ lossMask, promptLength: prompt.length, turns }, texts, tokenizer).map(({ source }) => source)
}

it('a chat template is told from the message inside of it, special tokens anywhere', () => {
  expect(sources(['<s>', 'user: ', 'Where', '<s>', ' is it?', ' assistant', ':'], [], [])).toEqual([
    ...['template', 'template', 'prompt', 'template', 'prompt', 'template', 'template'],
  ])
})

it('a prompt that the template does not fit is a prompt', () => {
  expect(sources(['Question', ': x'], [], [])).toEqual(['prompt', 'prompt'])
  expect(sources(['Question'], [], [], letterTokenizer)).toEqual(['prompt'])
})

it('documents stand between the tags of the protocol; a tag inside of them is theirs', () => {
  const rest = ['*<search>', '\n<information>', 'Doc </information>', '', ' end', '</information>', '\n', '*<answer>']
  expect(sources(['Q'], rest, [search, search])).toEqual([
    ...['prompt', 'policy', 'template', 'observation', 'observation', 'observation', 'template', 'template', 'policy'],
  ])
})

it('a correction is the protocol’s, whatever it says; without tags all is what was observed', () => {
  expect(
    sources(['Q'], ['*a', '<information>', ' Nothing', '</information>', '*b', 'found'], [invalid, search]),
  ).toEqual([...['prompt', 'policy', 'template', 'template', 'template', 'policy', 'observation']])
})

it('turns are counted by the messages of the policy', () => {
  const origins = tokenOrigins(
    { lossMask: [0, 1, 1, 0, 1, 0], promptLength: 1, turns: [search, search] },
    ['Q', 'a', 'b', 'c', 'd', 'e'],
    chat,
  )
  expect(origins.map(({ turn }) => turn)).toEqual([0, 1, 1, 1, 2, 2])
})
