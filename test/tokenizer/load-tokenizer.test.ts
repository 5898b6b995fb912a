import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readModelConfig } from '../../src/model/config.js'
import { checkTokenizer } from '../../src/tokenizer/check-tokenizer.js'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.js'
import { CHECKPOINTS, checkpointFolder, readGolden, temporaryFolder } from '../model/fixtures.js'

describe.each(CHECKPOINTS)('%s against transformers', (name) => {
  const golden = readGolden(name)

  it('encodes and decodes', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder(name))
    for (const { text, ids, decoded, decodedSkip, prefixes } of golden.texts) {
      expect(tokenizer.encode(text), text).toEqual(ids)
      expect(tokenizer.decode(ids), text).toBe(decoded)
      expect(tokenizer.decode(ids, true), text).toBe(decodedSkip)
      prefixes.forEach((prefix, i) => expect(tokenizer.decode(ids.slice(0, i + 1)), text).toBe(prefix))
    }
  })

  it('renders chats', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder(name))
    expect(tokenizer.hasChatTemplate).toBe(golden.chats.length > 0)
    for (const { messages, prompt, ids } of golden.chats) {
      expect(tokenizer.renderPrompt(messages)).toBe(prompt)
      expect(tokenizer.encode(prompt)).toEqual(ids)
    }
  })

  it('knows its size and its end ids', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder(name))
    expect(tokenizer.vocabSize).toBe(golden.vocabulary)
    expect(tokenizer.eosIds).toEqual(golden.eosIds)
  })

  it('gives every text back', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder(name))
    const text = fc.string({ unit: 'binary', maxLength: 30 }).map((s) => s.normalize('NFC'))
    fc.assert(
      fc.property(text, (s) => {
        expect(tokenizer.decode(tokenizer.encode(s))).toBe(s)
      }),
      { numRuns: 200 },
    )
  })
})

describe('load tokenizer', () => {
  const folder = temporaryFolder()
  const copy = (name: string, from: (typeof CHECKPOINTS)[number]): string => {
    const to = join(folder, name)
    cpSync(checkpointFolder(from), to, { recursive: true })
    return to
  }

  it('joins contents where there is no chat template', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder('qwen2-sharded'))
    const messages = [
      { role: 'system', content: 'One.' },
      { role: 'user', content: 'Two.' },
    ] as const
    expect(tokenizer.renderPrompt(messages)).toBe('One.\n\nTwo.')
  })

  it('adds no token in front, and takes empty input', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder('llama3'))
    expect(tokenizer.encode('')).toEqual([])
    expect(tokenizer.decode([])).toBe('')
    expect(tokenizer.encode('a')).toHaveLength(1)
  })

  it('refuses ids outside of the vocabulary', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder('qwen2'))
    expect(() => tokenizer.decode([1, 305])).toThrow('decode: ids must be integers in [0, 305)')
    expect(() => tokenizer.decode([-1])).toThrow('got -1')
    expect(() => tokenizer.decode([1.5])).toThrow('got 1.5')
  })

  it('refuses end ids of another tokenizer', async () => {
    const to = copy('foreign', 'qwen2')
    writeFileSync(join(to, 'generation_config.json'), '{"eos_token_id": [3, 305]}')
    await expect(loadTokenizer(to)).rejects.toThrow('generation_config.json ends texts with id 305')
    writeFileSync(join(to, 'generation_config.json'), '{"eos_token_id": "</s>"}')
    await expect(loadTokenizer(to)).rejects.toThrow('eos_token_id in generation_config.json must be ids, got "</s>"')
  })

  it('falls back from generation_config.json to config.json to tokenizer_config.json for end ids', async () => {
    const to = copy('fallback', 'qwen2')
    const im_end = (await loadTokenizer(to)).encode('<|im_end|>')
    rmSync(join(to, 'generation_config.json'))
    expect((await loadTokenizer(to)).eosIds).toEqual(im_end)
    rmSync(join(to, 'config.json'))
    expect((await loadTokenizer(to)).eosIds).toEqual(im_end)
  })

  it('takes the default of several templates, and special tokens written as records', async () => {
    const to = copy('several', 'qwen2')
    const chat_template = [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: '{{ eos_token }}{{ messages[0].content }}' },
    ]
    writeFileSync(
      join(to, 'tokenizer_config.json'),
      JSON.stringify({ chat_template, eos_token: { content: '<|im_end|>', special: true } }),
    )
    expect((await loadTokenizer(to)).renderPrompt([{ role: 'user', content: 'x' }])).toBe('<|im_end|>x')
  })

  it('says which template failed', async () => {
    const to = copy('raises', 'llama3')
    writeFileSync(join(to, 'chat_template.jinja'), "{{ raise_exception('no system messages') }}")
    const tokenizer = await loadTokenizer(to)
    expect(() => tokenizer.renderPrompt([{ role: 'user', content: 'x' }])).toThrow(
      /chat template of .*raises.*no system messages/,
    )
    writeFileSync(join(to, 'chat_template.jinja'), '{% if %}')
    await expect(loadTokenizer(to)).rejects.toThrow(/chat template of .*raises: cannot be parsed/)
  })

  it('says what is missing or broken', async () => {
    const to = copy('broken', 'qwen2')
    await expect(loadTokenizer(join(folder, 'absent'))).rejects.toThrow('tokenizer.json is missing')
    writeFileSync(join(to, 'tokenizer.json'), '{')
    await expect(loadTokenizer(to)).rejects.toThrow('tokenizer.json is not JSON')
    writeFileSync(join(to, 'tokenizer.json'), '{"model": {"type": "BPE"}}')
    await expect(loadTokenizer(to)).rejects.toThrow('tokenizer.json has no vocabulary')
  })

  it('takes a vocabulary of the size of real models', async () => {
    const to = copy('large', 'qwen2')
    const definition = JSON.parse(readFileSync(join(to, 'tokenizer.json'), 'utf8')) as {
      model: { vocab: Record<string, number> }
    }
    for (let id = 305; id < 152_000; id++) definition.model.vocab[`word${id}`] = id
    writeFileSync(join(to, 'tokenizer.json'), JSON.stringify(definition))
    expect((await loadTokenizer(to)).vocabSize).toBe(152_000)
  })

  it('is checked against the embedding', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder('qwen2'))
    const config = await readModelConfig(checkpointFolder('qwen2'))
    expect(() => checkTokenizer(tokenizer, config)).not.toThrow()
    expect(() => checkTokenizer(tokenizer, { ...config, vocabSize: 304 })).toThrow(
      'the tokenizer has 305 ids, the model 304 embedding rows',
    )
  })
})
