import { COLOURS, axis, layout } from './figure.js'
import type { Figure } from './figure.js'

/**
 * The loss of supervised fine-tuning, step by step.
 * @param steps As `trainSupervised` returns them. A loss that is not finite leaves a gap.
 * @example
 * const steps = await zs.trainSupervised({ policy, steps: 100, learningRate: 1e-4, batch: () => examples })
 * await zs.display(zs.plot.lossCurve(steps))
 */
export function lossCurve(steps: readonly { step: number; loss: number }[]): Figure {
  const y = steps.map(({ loss }) => (Number.isFinite(loss) ? loss : null))
  return {
    data: [
      {
        type: 'scatter',
        mode: steps.length > 1 ? 'lines' : 'markers',
        x: steps.map(({ step }) => step),
        y,
        line: { color: COLOURS[0], width: 2 },
      },
    ],
    layout: layout('Supervised fine-tuning', {
      xaxis: axis({ title: { text: 'step' } }),
      yaxis: axis({ title: { text: 'loss, nats per token' }, rangemode: 'tozero' }),
      height: 340,
    }),
  }
}
