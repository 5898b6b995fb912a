// TypeScript by `require`: for an `import` Node would read its nine megabytes twice, once only for the names of its exports.
import ts = require('typescript')
export = ts
