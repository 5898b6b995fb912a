import { COLOURS, axis, layout } from './figure.js'
import type { Figure } from './figure.js'

/**
 * The loss of supervised fine-tuning, step by step, and that of held-out examples where it was measured.
 * @param steps As `finetune` returns them. A loss that is not finite leaves a gap.
 * @example
 * const steps = await zs.finetune({ model, examples: 'dialogues.jsonl', heldOut: 0.1 })
 * await zs.display(zs.plot.lossCurve(steps))
 */
export function lossCurve(steps: readonly { step: number; loss: number; heldOutLoss?: number }[]): Figure {
  const measured = steps.filter(({ heldOutLoss }) => heldOutLoss !== undefined)
  const curve = (name: string, colour: string | undefined, points: [number, number][]): Figure['data'][number] => ({
    type: 'scatter',
    name,
    mode: points.length > 1 ? 'lines' : 'markers',
    x: points.map(([step]) => step),
    y: points.map(([, loss]) => (Number.isFinite(loss) ? loss : null)),
    line: { color: colour, width: 2 },
  })
  return {
    data: [
      curve(
        'training',
        COLOURS[0],
        steps.map(({ step, loss }) => [step, loss]),
      ),
      ...(measured.length > 0
        ? [
            curve(
              'held out',
              COLOURS[1],
              measured.map(({ step, heldOutLoss }) => [step, heldOutLoss!]),
            ),
          ]
        : []),
    ],
    layout: layout('Supervised fine-tuning', {
      xaxis: axis({ title: { text: 'step' } }),
      yaxis: axis({ title: { text: 'loss, nats per token' }, rangemode: 'tozero' }),
      height: 340,
    }),
  }
}
