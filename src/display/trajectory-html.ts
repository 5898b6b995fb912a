import { exactMatch, f1 } from '../reward/answer-metrics.js'
import type { Document } from '../schema/document.js'
import type { Trajectory } from '../schema/trajectory.js'
import { escapeHtml } from './html.js'
import type { Style } from './html.js'

/** Borders that can be told apart on light and dark paper; text keeps the page's own colour. */
const COLOURS: Record<string, string> = {
  think: '#8A8A8A',
  search: '#0072B2',
  answer: '#009E73',
  information: '#E69F00',
}

const block = (kind: string, content: string, style: Style): string =>
  `<div${style(`border-left: 4px solid ${COLOURS[kind] ?? '#CC79A7'}; margin: 3px 0; padding: 2px 8px;`)}><b>${kind}</b> ${content}</div>`

const PART = /<(think|search|answer)>([^]*?)<\/\1>/g

/** A trajectory with one coloured block for each thing said, documents folded. */
export function trajectoryHtml(trajectory: Trajectory, style: Style): string {
  const { question, turns, answer, stopReason, searches, failure } = trajectory
  const blocks = turns.flatMap((turn) => {
    const own = messageBlocks(turn.text, style)
    const { observation } = turn
    if (!observation) return own
    const quality = observation.quality ? `, ${observation.quality}` : ''
    const title =
      observation.documents.length > 0
        ? `${observation.documents.length} document${observation.documents.length === 1 ? '' : 's'}${quality}`
        : 'no documents'
    const body =
      observation.documents.length > 0 ? documentsHtml(observation.documents, style) : escapeHtml(observation.text)
    return [
      ...own,
      block(
        'information',
        `<details${style('display: inline-block;')}><summary>${title}</summary>${body}</details>`,
        style,
      ),
    ]
  })
  const gold = question.goldAnswers.map(escapeHtml).join(' or ')
  const score = `EM ${exactMatch(answer, question.goldAnswers)}, F1 ${f1(answer, question.goldAnswers).toFixed(2)}`
  const end = failure
    ? `failed in ${failure.boundary}: ${escapeHtml(failure.message)}`
    : `${stopReason}, ${searches} searches`
  return `<div><div><b>${escapeHtml(question.question)}</b></div>${blocks.join('')}<div>gold: ${gold}; ${score} (${end})</div></div>`
}

function messageBlocks(text: string, style: Style): string[] {
  const blocks: string[] = []
  let last = 0
  for (const match of text.matchAll(PART)) {
    const between = text.slice(last, match.index).trim()
    if (between) blocks.push(block('text', escapeHtml(between), style))
    blocks.push(block(match[1]!, escapeHtml(match[2]!.trim()), style))
    last = (match.index ?? 0) + match[0].length
  }
  const rest = text.slice(last).trim()
  if (rest) blocks.push(block('text', escapeHtml(rest), style))
  return blocks
}

/** Documents as a list. */
export function documentsHtml(documents: readonly Document[], style: Style): string {
  const items = documents.map(
    ({ title, text }) => `<li>${title ? `<b>${escapeHtml(title)}</b>: ` : ''}${escapeHtml(text)}</li>`,
  )
  return `<ol${style('margin: 2px 0;')}>${items.join('')}</ol>`
}
