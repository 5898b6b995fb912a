import type { TokenSource, TokenView, ViewedToken } from '../schema/token-view.js'
import { cut } from './cut.js'
import { html } from './html.js'
import type { Html, Style } from './html.js'
import { decimals } from './number-text.js'
import { tableCells } from './table-cells.js'
import type { TableCells } from './table-cells.js'
import { tableHtml, tableText } from './table-html.js'
import { recordsView } from './table-view.js'
import { SOURCE_COLOURS, valueColour } from './token-colours.js'

/** What colours the policy's tokens, each in a part of its own, for without scripts nothing can be chosen but what is unfolded. */
interface Measure {
  title: string
  /** What the tooltip of a token calls it. */
  name: string
  of: (token: ViewedToken) => unknown
  /** What is painted: nothing at 0. */
  painted: (value: number) => number
  /** Back from what is painted, for the scale. */
  shown: (painted: number) => number
  /** Painted values below it are pale even where they are the largest: rounding. */
  least: number
}

const itself = (value: number): number => value

const MEASURES: Measure[] = [
  { title: 'advantage', name: 'advantage', of: (t) => t.advantage, painted: itself, shown: itself, least: 0.1 },
  {
    ...{ title: 'ratio, trainer to sampler', name: 'ratio', of: (t) => t.ratio },
    ...{ painted: Math.log, shown: Math.exp, least: Math.log(1.2) },
  },
  {
    ...{ title: 'divergence from the reference (KL)', name: 'KL', of: (t) => t.kl },
    ...{ painted: itself, shown: itself, least: 0.1 },
  },
  { title: 'value, before each token', name: 'value', of: (t) => t.value, painted: itself, shown: itself, least: 0.1 },
  {
    ...{ title: 'log-probability, trainer', name: 'log-probability', of: (t) => t.trainerLogprob },
    ...{ painted: itself, shown: itself, least: 1 },
  },
]

const SOURCES = Object.keys(SOURCE_COLOURS) as TokenSource[]

/** Tokens that follow each other in one turn, all written by the policy or none. */
interface Part {
  turn: unknown
  isPolicy: boolean
  tokens: ViewedToken[]
}

function partsOf({ tokens }: TokenView): Part[] {
  const parts: Part[] = []
  for (const token of tokens) {
    const isPolicy = token.mask === 1
    const last = parts.at(-1)
    if (last?.turn === token.turn && last.isPolicy === isPolicy) last.tokens.push(token)
    else parts.push({ turn: token.turn, isPolicy, tokens: [token] })
  }
  return parts
}

const nameOf = ({ turn, isPolicy }: Part): string =>
  turn === 0 ? 'prompt' : `${isPolicy ? 'policy' : 'observation'} ${decimals(turn, 0)}`

/** A trajectory token by token: once by where each token comes from, then by each measure; tooltips have the numbers. */
export function tokenViewHtml(view: TokenView, style: Style, isStatic: boolean): Html {
  const parts = partsOf(view)
  const head = html`<div><b>${view.question}</b></div><div>${summaryOf(view)}</div>`
  const table = folded('numbers by part', partTable(parts, style), style)
  if (isStatic)
    return html`<div>${head}${partTable(parts, style)}${folded('all tokens', tokenTableHtml(view, style), style)}</div>`
  const measures = MEASURES.filter(({ of }) => view.tokens.some((token) => isNumber(of(token))))
  // The first that there is: what the tokens learned.
  const painted = measures.map((measure, i) => measureHtml(measure, parts, style, i === 0))
  return html`<div>${head}${sourcesHtml(parts, style)}${painted}${table}</div>`
}

/** The same for terminals. */
export const tokenViewText = (view: TokenView): string =>
  [String(view.question), summaryOf(view), tableText(partCells(partsOf(view)))].join('\n')

function summaryOf({ answer, stopReason, policy, algorithm, reward, tokens, klEstimator }: TokenView): string {
  const said = answer === null ? 'no answer' : `answer ${textOf(answer)}`
  const own = tokens.filter(({ mask }) => mask === 1).length
  return [
    `${said} (${textOf(stopReason)})`,
    ...(reward === undefined ? [] : [`reward ${decimals(reward, 3)}`]),
    `${tokens.length} tokens, ${own} of them trained; trainer: ${textOf(policy)}`,
    ...(algorithm === undefined ? [] : [`advantages of ${textOf(algorithm)}`]),
    ...(klEstimator === undefined ? [] : [`KL by ${textOf(klEstimator)}`]),
  ].join('; ')
}

const SOURCE_BORDER = (part: Part): string =>
  SOURCE_COLOURS[part.isPolicy ? 'policy' : part.turn === 0 ? 'prompt' : 'observation'].slice(0, 7)

const block = (part: Part, content: Html | Html[], style: Style): Html =>
  html`<div${style(`border-left: 4px solid ${SOURCE_BORDER(part)}; margin: 4px 0; padding: 1px 8px; white-space: pre-wrap; overflow-wrap: break-word; line-height: 1.7;`)}><b>${nameOf(part)}</b> ${content}</div>`

function folded(title: Html | string, body: Html, style: Style, isOpen = false): Html {
  const summary = html`<summary${style('margin: 6px 0 2px; cursor: pointer;')}>${title}</summary>`
  return isOpen ? html`<details open>${summary}${body}</details>` : html`<details>${summary}${body}</details>`
}

const token = (text: Html | string, title: string, colour: string | undefined, style: Style): Html => {
  // There are thousands of these: no letter too many.
  const behind = colour === undefined ? '' : `;background-color:${colour}`
  return html`<span${style(`border-left:1px solid #88888877${behind}`)} title="${title}">${text}</span>`
}

const swatch = (text: string, colour: string | undefined, style: Style): Html =>
  html`<span${style(`padding: 1px 6px; margin-left: 6px; border: 1px solid #88888877;${colour ? ` background-color: ${colour};` : ''}`)}>${text}</span>`

function sourcesHtml(parts: readonly Part[], style: Style): Html {
  const legend = SOURCES.map((source) => swatch(source, SOURCE_COLOURS[source], style))
  const blocks = parts.map((part) =>
    block(
      part,
      part.tokens.map((each) => token(visible(each.text), numbersOf(each), SOURCE_COLOURS[each.source], style)),
      style,
    ),
  )
  return folded(html`<b>where each token comes from</b>${legend}`, html`<div>${blocks}</div>`, style, true)
}

/** Characters of what the policy did not write, in the parts that are about what it wrote. */
const SHORT = 60

function measureHtml(measure: Measure, parts: readonly Part[], style: Style, isOpen: boolean): Html {
  const { title, name, of, painted, shown, least } = measure
  const values = parts.flatMap(({ tokens }) => tokens.map(of).filter(isNumber))
  const full = values.map(painted).reduce((largest, value) => Math.max(largest, Math.abs(value)), least)
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const scale = [-full, -full / 2, 0, full / 2, full].filter(
    (value) =>
      (value >= 0 || values.some((each) => painted(each) < 0)) &&
      (value <= 0 || values.some((each) => painted(each) > 0)),
  )
  const legend = scale.map((value) => swatch(short(shown(value)), valueColour(value, full), style))
  const blocks = parts.map((part) => {
    if (!part.isPolicy) {
      return block(
        part,
        html`<span${style('opacity: 0.7;')}>${cut(lineOf(part), SHORT)} (${part.tokens.length} tokens)</span>`,
        style,
      )
    }
    const spans = part.tokens.map((each) => {
      const value = of(each)
      const colour = isNumber(value) ? valueColour(painted(value), full) : undefined
      return token(visible(each.text), `${name} ${short(value)}, place ${decimals(each.place, 0)}`, colour, style)
    })
    return block(part, spans, style)
  })
  const range = short(low) === short(high) ? `${short(low)} throughout` : `${short(low)} to ${short(high)}`
  return folded(html`<b>${title}</b>: ${range}${legend}`, html`<div>${blocks}</div>`, style, isOpen)
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

/** Three digits that count, or three decimals. */
function short(value: unknown): string {
  if (!isNumber(value)) return decimals(value, 3)
  if (value === 0) return '0'
  const size = Math.abs(value)
  const text = size < 0.001 ? value.toExponential(0) : size < 1 ? value.toFixed(3) : value.toPrecision(3)
  return text.replaceAll('-', '−')
}

function numbersOf(each: ViewedToken): string {
  const measures = MEASURES.flatMap(({ name, of }) =>
    of(each) === undefined || name === 'log-probability' ? [] : [`${name} ${short(of(each))}`],
  )
  const logprobs =
    each.trainerLogprob === undefined
      ? []
      : [`log-probability: sampler ${short(each.samplerLogprob)}, trainer ${short(each.trainerLogprob)}`]
  return [
    `place ${decimals(each.place, 0)}, id ${decimals(each.id, 0)}, ${textOf(each.source)}`,
    ...logprobs,
    ...measures,
  ].join('; ')
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : decimals(value, 0))

/** Controls, marks of direction and what has no width: a text could hide or turn round what follows it. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** A token's text as it can be seen: a line break shows and breaks the line; a further part of a character is `⋯`. */
function visible(text: unknown): string {
  const plain = textOf(text)
  if (plain === '') return '⋯'
  return plain.replace(UNSEEN, (letter) => {
    if (letter === '\n') return '↵\n'
    return letter === '\t' ? '⇥' : `\\u{${letter.codePointAt(0)!.toString(16)}}`
  })
}

/** The same in the cell of a table, which would swallow spaces and breaks. */
const inCell = (text: unknown): string => visible(text).replaceAll('\n', '').replaceAll(' ', '␣')

/** What a part says, as one line. */
const lineOf = ({ tokens }: Part): string =>
  tokens
    .map((each) => visible(each.text))
    .join('')
    .replace(/\s+/g, ' ')
    .trim()

const mean = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((a, b) => a + b, 0) / values.length

function partsView(parts: readonly Part[]): ReturnType<typeof recordsView> {
  return recordsView(
    parts,
    (part) => {
      const means = MEASURES.map(
        ({ name, of }) => [`mean ${name}`, mean(part.tokens.map(of).filter(isNumber))] as const,
      )
      // Its number stays beside its name.
      const unbroken = nameOf(part).replace(' ', '\u00a0')
      return { part: unbroken, tokens: part.tokens.length, ...Object.fromEntries(means), text: lineOf(part) }
    },
    'parts',
  )
}

/** All of them: a part left out would be a message unseen. */
const partCells = (parts: readonly Part[]): TableCells => tableCells(partsView(parts), Infinity)

const partTable = (parts: readonly Part[], style: Style): Html => tableHtml(partCells(parts), style)

const tokenTableHtml = ({ tokens }: TokenView, style: Style): Html =>
  tableHtml(
    tableCells(
      recordsView(tokens, (each) => ({ ...each, text: inCell(each.text) }), 'tokens'),
      Infinity,
    ),
    style,
  )
