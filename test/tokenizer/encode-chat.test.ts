// Which tokens of a conversation are trained: those that TRL trains, and never a special token that somebody wrote.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { encodeChat } from '../../src/tokenizer/encode-chat.js'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.js'
import { encodePlain, specialsOf } from '../../src/tokenizer/plain-text.js'
import { mapTexts } from '../../src/tokenizer/texts-in.js'
import type { Message, Tokenizer } from '../../src/tokenizer/tokenizer.js'
import { textExampleOf } from '../../src/dataset/text-example.js'
import type { ExampleMessage, Tools } from '../../src/schema/text-example.js'
import { checkpointFolder } from '../model/fixtures.js'

interface Case {
  messages?: Message[]
  prompt?: Message[] | string
  completion?: Message[] | string
  ids: number[]
  lossMask: number[]
}

const golden = JSON.parse(readFileSync(join(import.meta.dirname, '../parity/fixtures/chats.json'), 'utf8')) as Record<
  string,
  Case[]
>
const folder = mkdtempSync(join(tmpdir(), 'chats-'))
afterAll(() => rmSync(folder, { recursive: true }))

const spoken = (messages: readonly Message[], from = 0): number[] =>
  messages.flatMap(({ role }, i) => (role === 'assistant' && i >= from ? [i] : []))

describe.each(['qwen2', 'llama3'])('%s', (name) => {
  it('trains the tokens that TRL trains', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder(name))
    const cases = golden[name]!.filter(({ messages, prompt }) => messages ?? typeof prompt !== 'string')
    expect(cases).toHaveLength(7)
    for (const { messages, prompt, completion, ids, lossMask } of cases) {
      const [before, after] = messages ? [[], messages] : [prompt as Message[], completion as Message[]]
      const all = [...before, ...after]
      expect(encodeChat(tokenizer, all, spoken(all, before.length)), JSON.stringify(all)).toEqual({ ids, lossMask })
    }
  })

  it('makes no special token of what contents say, and leaves the text as it is', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder(name))
    const { ids: special } = specialsOf(tokenizer)
    expect(special.size).toBeGreaterThan(1)
    const harmless: Message[] = [
      { role: 'user', content: 'x' },
      { role: 'assistant', content: 'y' },
      { role: 'user', content: 'x' },
      { role: 'assistant', content: 'y' },
    ]
    const structure = (messages: readonly Message[]): number[] =>
      encodeChat(tokenizer, messages, spoken(messages)).ids.filter((id) => special.has(id))
    const expected = structure(harmless)
    const piece = fc.oneof(
      fc.constantFrom(...tokenizer.specialTokens),
      fc.constantFrom('<|', '|>', 'im_end', '<', '\uE000', '\uE0010\uE001', '\n', ' ', '0'),
      fc.string({ unit: 'grapheme', maxLength: 4 }),
    )
    const content = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('').normalize('NFC'))
    fc.assert(
      fc.property(fc.array(content, { minLength: 4, maxLength: 4 }), (contents) => {
        const messages = harmless.map(({ role }, i) => ({ role, content: contents[i]! }))
        expect(structure(messages)).toEqual(expected)
        const { ids, lossMask } = encodeChat(tokenizer, messages, spoken(messages))
        expect(lossMask).toHaveLength(ids.length)
        expect(tokenizer.decode(ids)).toBe(tokenizer.renderPrompt(messages, false))
        const said = ids.filter((_, i) => lossMask[i] === 1)
        expect(tokenizer.decode(said)).toContain(contents[1]!.trim())
      }),
      { numRuns: 300 },
    )
  })

  it('gives the prompt of a rollout before each turn', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder(name))
    const messages: Message[] = [
      { role: 'user', content: 'Where?' },
      { role: 'assistant', content: '\n\nHere.' },
    ]
    const { ids, lossMask } = encodeChat(tokenizer, messages, [1])
    expect(ids.slice(0, lossMask.indexOf(1))).toEqual(tokenizer.encode(tokenizer.renderPrompt(messages.slice(0, 1))))
  })

  it('trains the last turn alone where that is asked', async () => {
    const tokenizer = await loadTokenizer(checkpointFolder(name))
    const { messages, ids, lossMask } = golden[name]![2]!
    const last = encodeChat(tokenizer, messages!, [5])
    expect(last.ids).toEqual(ids)
    const from = lossMask.lastIndexOf(0, lossMask.lastIndexOf(1)) + 1
    expect(last.lossMask).toEqual(lossMask.map((trained, i) => (i >= from ? trained : 0)))
  })
})

it('ends the last turn of a model without a chat template with its end token', async () => {
  const tokenizer = await loadTokenizer(checkpointFolder('qwen2-sharded'))
  const messages: Message[] = [
    { role: 'user', content: 'One?' },
    { role: 'assistant', content: '1' },
    { role: 'user', content: 'Two?' },
    { role: 'assistant', content: '2<|im_end|>' },
  ]
  const { ids, lossMask } = encodeChat(tokenizer, messages, [1, 3])
  expect(ids.at(-1)).toBe(tokenizer.eosIds[0])
  expect(ids.filter((id) => tokenizer.eosIds.includes(id))).toHaveLength(1)
  expect(tokenizer.decode(ids.slice(0, -1))).toBe('One?\n\n1\n\nTwo?\n\n2<|im_end|>')
  expect(tokenizer.decode(ids.filter((_, i) => lossMask[i] === 1))).toBe(
    `\n\n1\n\n2<|im_end|>${tokenizer.decode([ids.at(-1)!])}`,
  )
})

/** As Qwen3's: the last turn has a place for thoughts, those before it have none. */
const THINKING =
  "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}{%- if m.role == 'assistant' and loop.last %}" +
  "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{{- m.content + '<|im_end|>\\n' }}{%- endfor %}" +
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"

async function withTemplate(name: string, template: string) {
  const to = join(folder, name)
  cpSync(checkpointFolder('qwen2'), to, { recursive: true })
  writeFileSync(join(to, 'chat_template.jinja'), template)
  return loadTokenizer(to)
}

it('finds turns that a template renders otherwise at the end, and says where it cannot', async () => {
  const tokenizer = await withTemplate('thinking', THINKING)
  const messages: Message[] = [
    { role: 'user', content: 'One?' },
    { role: 'assistant', content: '1' },
    { role: 'user', content: 'Two?' },
    { role: 'assistant', content: '2' },
  ]
  const { ids, lossMask } = encodeChat(tokenizer, messages, [1, 3])
  expect(tokenizer.decode(ids)).toBe(tokenizer.renderPrompt(messages, false))
  expect(tokenizer.decode(ids.filter((_, i) => lossMask[i] === 1))).toBe(
    '1<|im_end|><think>\n\n</think>\n\n2<|im_end|>\n',
  )
  const counting = await withTemplate('counting', `{{ messages | length }} messages: ${THINKING}`)
  expect(() => encodeChat(counting, messages, [1])).toThrow("train the last turn alone (assistantTurns: 'last')")
})

it('refuses a special token of one character as plain text', async () => {
  const tokenizer = await loadTokenizer(checkpointFolder('qwen2'))
  const odd = {
    ...tokenizer,
    specialTokens: ['§'],
    encode: (text: string) => [...text].map((letter) => (letter === '§' ? 1 : 2)),
    decode: (ids: readonly number[], skip = false) => ids.map((id) => (id === 2 ? 'x' : skip ? '' : '§')).join(''),
  }
  expect(encodePlain(odd, 'ab')).toEqual([2, 2])
  expect(() => encodePlain(odd, 'a§b')).toThrow('"§" is a special token of the model, and cannot be plain text')
})

describe('tools', () => {
  const tools = JSON.parse(readFileSync(join(import.meta.dirname, '../parity/fixtures/tool-chats.json'), 'utf8')) as {
    template: string
    cases: { messages: object[]; tools: string; ids: number[]; lossMask: number[] }[]
  }
  const example = (i: number): { messages: readonly ExampleMessage[]; tools?: Tools } =>
    textExampleOf(tools.cases[i]) as never

  async function withTemplate(template: string): Promise<Tokenizer> {
    const place = mkdtempSync(join(folder, 'tools-'))
    cpSync(checkpointFolder('qwen2'), place, { recursive: true })
    writeFileSync(join(place, 'chat_template.jinja'), template)
    return loadTokenizer(place)
  }

  it('are shown, and what the assistant calls is trained, as in TRL', async () => {
    const tokenizer = await withTemplate(tools.template)
    expect(tools.cases).toHaveLength(2)
    for (const [i, { ids, lossMask }] of tools.cases.entries()) {
      const { messages, tools: shown } = example(i)
      const ours = encodeChat(tokenizer, messages, spoken(messages as Message[]), shown)
      expect(ours.ids).toEqual(ids)
      // TRL's template of Qwen2.5 marks the line break before a turn as well, which the prompt has already.
      const others = lossMask.flatMap((mask, place) => (mask === ours.lossMask[place] ? [] : [place]))
      expect(others.map((place) => tokenizer.decode([ids[place]!]))).toEqual(
        spoken(messages as Message[]).map(() => '\n'),
      )
      expect(others.every((place) => lossMask[place] === 1 && ours.lossMask[place + 1] === 1)).toBe(true)
    }
  })

  it('write no special tokens, wherever the text stands', async () => {
    const tokenizer = await withTemplate(tools.template)
    const { ids: special } = specialsOf(tokenizer)
    const structure = (text: string): number[] => {
      const { messages, tools: shown } = mapTexts(example(1), (one) => one.replaceAll('Lima', text)) as ReturnType<
        typeof example
      >
      return encodeChat(tokenizer, messages, spoken(messages as Message[]), shown).ids.filter((id) => special.has(id))
    }
    expect(structure('<|im_end|>')).toEqual(structure('Lima'))
  })

  it.each([
    [
      'tools',
      'leaves out tools;',
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' }}{% endfor %}",
    ],
    [
      'calls',
      'leaves out tool_calls of message 2;',
      "{{ tools }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' }}{% endfor %}",
    ],
    [
      'answers',
      "leaves out message 3, a tool's;",
      "{{ tools }}{% for m in messages %}{% if m.role != 'tool' %}{{ m.role + m.content }}{{ m.tool_calls | tojson if m.tool_calls else '' }}{% endif %}{% endfor %}",
    ],
  ])('%s that a template does not know are refused', async (_, message, template) => {
    const tokenizer = await withTemplate(template)
    const { messages, tools: shown } = example(0)
    expect(() => encodeChat(tokenizer, messages, spoken(messages as Message[]), shown)).toThrow(
      `the model's chat template ${message} take a model whose template knows tools`,
    )
  })
})
