#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { openBundle } from './bundled.js';

const folder = new URL('bundle/', import.meta.url);
const { runProgram } = existsSync(new URL('program.cjs', folder))
  ? openBundle(folder).load<typeof import('./cli/program.js')>('./program.cjs')
  : await import('./cli/program.js');

await runProgram(process.argv);
