// The layers of src/ (README, "The rooms"): imports point down.
const layers = [
  ['schema', 'file', 'random', 'signal', 'host', 'http', 'tensor'],
  ['hub'],
  ['tokenizer', 'model', 'dataset', 'search', 'reward', 'algorithm', 'statistics'],
  ['policy'],
  ['language-model'],
  ['rollout', 'simulator'],
  ['train', 'evaluation', 'serve', 'simulator-data'],
  ['table', 'plot', 'mini'],
  ['display', 'widget', 'cli'],
]

const folder = (names) => `^src/(${names.join('|')})/`

const upward = layers.flatMap((layer, i) => {
  const higher = layers.slice(i + 1).flat()
  return higher.length === 0
    ? []
    : [
        {
          name: `layer-${i}-imports-up`,
          severity: 'error',
          from: { path: folder(layer) },
          to: { path: folder(higher) },
        },
      ]
})

const sideways = layers.flatMap((layer) =>
  layer.flatMap((room) => {
    const others = layer.filter(
      (other) =>
        other !== room &&
        !(room === 'plot' && other === 'table') &&
        !(room === 'simulator-data' && other === 'evaluation') &&
        !(room === 'cli' && other === 'display') &&
        !(room === 'tensor' && ['schema', 'signal', 'host'].includes(other)) &&
        !(room === 'http' && ['schema', 'signal'].includes(other)),
    )
    return others.length === 0
      ? []
      : [
          {
            name: `${room}-imports-beside`,
            severity: 'error',
            from: { path: folder([room]) },
            to: { path: folder(others) },
          },
        ]
  }),
)

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: { path: '^src' }, to: { circular: true } },
    ...upward,
    ...sideways,
    {
      name: 'tfjs-only-in-the-engine-rooms',
      severity: 'error',
      from: { path: '^src', pathNot: '^src/(tensor|model|algorithm|policy|train)/' },
      to: { path: '@tensorflow/' },
    },
    {
      name: 'danfo-in-one-file',
      severity: 'error',
      from: { path: '^src', pathNot: '^src/table/danfo\\.ts$' },
      to: { path: 'danfojs' },
    },
    {
      name: 'tslab-only-in-the-kernel',
      severity: 'error',
      from: { path: '^src' },
      to: { path: 'node_modules/tslab' },
    },
    {
      name: 'pure-rooms',
      severity: 'error',
      from: { path: '^src/(algorithm|reward|statistics)/' },
      to: { path: '^(fs|net|http|https)$|^src/(model|policy)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node'],
    },
  },
}
