import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { zerosearchProtocol } from '../../src/rollout/protocol.js'
import { information, policyPrompt } from '../../src/mini/prompts.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.js'
import type { Message } from '../../src/tokenizer/tokenizer.js'

const tokenizer = await loadTokenizer(fileURLToPath(new URL('../../data/mini/tokenizer', import.meta.url)))
const documents = (...texts: string[]) => texts.map((text, i) => ({ text, rank: i + 1 }))

test('the mini protocol is what the mini models are taught', () => {
  const texts = ["Peru's capital is Lima.", 'The currency of Peru is PEN.']
  expect(miniProtocol.observation(documents(...texts))).toBe(information(texts))
  const question = "What is Peru's capital?"
  expect(miniProtocol.prompt(tokenizer, question)).toEqual(tokenizer.encode(policyPrompt(question)))
})

test('ZeroSearch’s prompt names every tag, ends with the question and goes through the chat template', () => {
  const seen: Message[][] = []
  const chat = { ...tokenizer, renderPrompt: (messages: readonly Message[]) => (seen.push([...messages]), 'rendered') }
  expect(zerosearchProtocol.prompt(chat, 'Who?')).toEqual(tokenizer.encode('rendered'))
  const [[message]] = seen as [[Message]]
  expect(message.role).toBe('user')
  for (const tag of ['think', 'search', 'information', 'answer']) {
    expect(message.content).toContain(`<${tag}>`)
    expect(message.content).toContain(`</${tag}>`)
  }
  expect(message.content.endsWith('Question: Who?')).toBe(true)
})

test('ZeroSearch’s observation: numbered documents between tags, a blank line before and after', () => {
  const found = [{ title: 'Ada', text: 'one', rank: 1 }, ...documents('two')]
  expect(zerosearchProtocol.observation(found)).toBe('\n\n<information>Doc 1: (Ada) one\nDoc 2: two</information>\n\n')
})
