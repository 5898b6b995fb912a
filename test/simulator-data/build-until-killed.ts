// Builds data with a player that takes its time: to be killed. Arguments: folder, whether to resume.
import { setTimeout as sleep } from 'node:timers/promises'
import { buildSimulatorData } from '../../src/simulator-data/build.js'
import { documentsOf, engine, player, questions } from './cities.js'

const [saveTo, resume] = process.argv.slice(2) as [string, string]
const { name } = engine()
await buildSimulatorData({
  model: player((i) => i % 2 === 1),
  searchEngine: {
    name,
    async search(query, { topK }) {
      const i = Number(/\d+/.exec(query)![0])
      await sleep((i * 7) % 23)
      return documentsOf(i).slice(0, topK)
    },
  },
  questions,
  rollouts: 8,
  concurrency: 3,
  heldOut: 0.25,
  saveTo,
  resume: resume === 'resume',
})
console.log('written')
