// Starts the bundled program, as dist/main.js does, and keeps what V8 has compiled when it is told that it is enough.
import { setFlagsFromString } from 'node:v8';
import { openBundle } from '../src/bundled.ts';

// V8 forgets what it has compiled of functions that ran once: those of a start, the largest of all among them.
setFlagsFromString('--no-flush-bytecode');

const bundle = openBundle(new URL('../dist/bundle/', import.meta.url));

process.once('message', () => {
  // What is kept is good for processes with the same flags only.
  setFlagsFromString('--flush-bytecode');
  bundle.keepCompiled();
  process.exit(0);
});
const { runProgram } = bundle.load<typeof import('../src/cli/program.ts')>('./program.cjs');
await runProgram(['node', 'credence', 'serve']);
