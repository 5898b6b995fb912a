import { exactMatch, f1 } from '../reward/answer-metrics.js'
import type { Document } from '../schema/document.js'
import type { Trajectory, Turn } from '../schema/trajectory.js'
import { html } from './html.js'
import type { Html, Style } from './html.js'

/** Borders that can be told apart on light and dark paper; text keeps the colour of the page. */
const COLOURS = {
  think: '#8A8A8A',
  search: '#0072B2',
  answer: '#009E73',
  information: '#E69F00',
  correction: '#D55E00',
  text: '#CC79A7',
}
type Kind = keyof typeof COLOURS

const block = (kind: Kind, content: Html, style: Style): Html =>
  html`<div${style(`border-left: 4px solid ${COLOURS[kind]}; margin: 3px 0; padding: 2px 8px;`)}>${content}</div>`

const said = (kind: Kind, text: string, style: Style): Html => block(kind, html`<b>${kind}</b> ${text}`, style)

/** Opens on a click. The label is in its first line, where it stays. */
const folded = (kind: Kind, title: Html | string, body: Html, style: Style): Html =>
  block(
    kind,
    html`<details>
      <summary><b>${kind}</b> ${title}</summary>
      ${body}
    </details>`,
    style,
  )

const PART = /<(think|search|answer)>([^]*?)<\/\1>/g

/** A trajectory with one coloured block for each thing said, documents folded. */
export function trajectoryHtml(trajectory: Trajectory, style: Style): Html {
  const { question, turns, answer, stopReason, searches, failure } = trajectory
  const blocks = turns.flatMap((turn) => [...messageBlocks(turn.text, style), ...observationBlocks(turn, style)])
  const gold = question.goldAnswers.join(' or ')
  const score = `EM ${exactMatch(answer, question.goldAnswers)}, F1 ${f1(answer, question.goldAnswers).toFixed(2)}`
  const end = failure
    ? html`failed in ${failure.boundary}: ${failure.message}`
    : html`${stopReason}, ${searches} ${searches === 1 ? 'search' : 'searches'}`
  return html`<div${style('overflow-wrap: anywhere;')}>
    <div><b>${question.question}</b></div>
    ${blocks}
    <div>gold: ${gold}; ${score} (${end})</div>
  </div>`
}

/** What the policy was given after its message: documents, or why its action was invalid. */
function observationBlocks({ action, observation }: Turn, style: Style): Html[] {
  if (!observation) return []
  const { documents, quality, text, unread } = observation
  const inserted = asWritten(text.trim(), style)
  if (action?.kind === 'invalid') return [folded('correction', action.cause, inserted, style)]
  if (documents.length === 0 && unread !== undefined)
    return [folded('information', 'no documents could be read in this text', asWritten(unread, style), style)]
  if (documents.length === 0) return [folded('information', 'no documents', inserted, style)]
  const title = `${documents.length} document${documents.length === 1 ? '' : 's'}`
  const asked = quality === undefined ? '' : html`, ${quality}`
  return [folded('information', html`${title}${asked}`, documentsHtml(documents, style), style)]
}

function messageBlocks(text: string, style: Style): Html[] {
  const blocks: Html[] = []
  const add = (kind: Kind, part: string): void => {
    if (kind !== 'text' || part.trim() !== '') blocks.push(said(kind, part.trim(), style))
  }
  let last = 0
  for (const match of text.matchAll(PART)) {
    add('text', text.slice(last, match.index))
    add(match[1] as Kind, match[2]!)
    last = (match.index ?? 0) + match[0].length
  }
  add('text', text.slice(last))
  return blocks
}

/** What a simulator wrote: the documents, and the text that they were read in. */
export function simulationHtml(documents: readonly Document[], text: string, style: Style): Html {
  const none = html`<div>no documents could be read in this text</div>`
  return html`<div>
    ${documents.length > 0 ? documentsHtml(documents, style) : none}
    ${folded('text', 'as the LLM wrote it', asWritten(text, style), style)}
  </div>`
}

/** Text with its own line breaks. */
const asWritten = (text: string, style: Style): Html => html`<div${style('white-space: pre-wrap;')}>${text}</div>`

/** Documents as a list. */
export function documentsHtml(documents: readonly Document[], style: Style): Html {
  const items = documents.map(({ title, text }) => html`<li>${title ? html`<b>${title}</b>: ` : ''}${text}</li>`)
  return html`<ol${style('margin: 2px 0; overflow-wrap: anywhere;')}>${items}</ol>`
}
