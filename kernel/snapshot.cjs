// node --snapshot-blob FILE --build-snapshot snapshot.cjs: keeps a process in which TypeScript has read its library, for
// kernels to start from (launch.sh).
const { readFileSync } = require('node:fs')
const { createRequire, isBuiltin } = require('node:module')
const { dirname, join } = require('node:path')
const { pathToFileURL } = require('node:url')
const { startupSnapshot } = require('node:v8')
const vm = require('node:vm')

/** Node's own loader must not have run before the snapshot; this one does for what is loaded here. */
const modules = new Map()
function load(file) {
  if (modules.has(file)) return modules.get(file).exports
  const module = { id: file, filename: file, loaded: true, exports: {}, children: [], paths: [] }
  modules.set(file, module)
  const resolve = createRequire(file).resolve
  const requireFrom = (name) => (isBuiltin(name) ? require(name) : load(resolve(name)))
  const text = `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'utf8')}\n})`
  vm.runInThisContext(text, { filename: file })(module.exports, requireFrom, module, file, dirname(file))
  return module.exports
}
load(join(__dirname, '..', 'dist', 'kernel', 'cells', 'disk.cjs'))

startupSnapshot.setDeserializeMainFunction(() => {
  const main = process.argv[1]
  Object.assign(createRequire(main).cache, Object.fromEntries(modules))
  // What the process starts in turn must not be another kernel.
  process.execArgv = process.execArgv.filter((option) => !option.startsWith('--snapshot-blob'))
  const start = vm.runInThisContext('(url) => import(url)', {
    filename: main,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  start(pathToFileURL(main).href)
})
