// The program as `npm run build` leaves it in dist/bundle: a few scripts instead of two thousand modules, each beside what
// V8 has compiled of it (docs/decisions/0018). Nothing is ever written there but by a build.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

export interface Bundle {
  /** What a script exports; it is run when it is first asked for. */
  load<Exports>(name: string): Exports;
  /** Keeps all that V8 has compiled by now, for the starts to come: what a build does at its end. */
  keepCompiled(): void;
}

/** A script's first line is a comment that holds the hash of the rest. */
const ID = { start: 2, end: 66 } as const;
const HEADER_BYTES = 128;

/** V8 itself looks at the length of a source only, and at its own version: this says that the two files are of one build. */
function headerFor(id: string): string {
  return `${id} ${process.version} ${process.platform} ${process.arch}`.padEnd(HEADER_BYTES - 1).concat('\n');
}

const compiledFile = (file: string) => `${file}.compiled`;

/** What was compiled of exactly this script, by this version of Node.js; undefined costs a start some hundred milliseconds. */
function readCompiled(file: string, id: string): Buffer | undefined {
  try {
    const kept = readFileSync(compiledFile(file));
    return kept.toString('latin1', 0, HEADER_BYTES) === headerFor(id) ? kept.subarray(HEADER_BYTES) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a start by this version of Node.js would have nothing to compile. */
export function isCompiled(file: string): boolean {
  return readCompiled(file, readFileSync(file, 'latin1').slice(ID.start, ID.end)) !== undefined;
}

/** The scripts of a folder, which know each other as `./name.cjs`. */
export function openBundle(folder: URL): Bundle {
  const loaded = new Map<string, { readonly id: string; readonly script: vm.Script; readonly exports: unknown }>();
  mapStacks(folder);

  function load<Exports>(name: string): Exports {
    const file = fileURLToPath(new URL(name, folder));
    const known = loaded.get(file);
    if (known) return known.exports as Exports;
    // A build leaves nothing but ASCII: the source is taken as it is, without being decoded.
    const source = readFileSync(file, 'latin1');
    const id = source.slice(ID.start, ID.end);
    const compiled = readCompiled(file, id);
    const script = new vm.Script(source, {
      filename: file,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      ...(compiled && { cachedData: compiled }),
    });
    const fromPackages = createRequire(file);
    const require = (wanted: string) => (wanted.startsWith('./') ? load(wanted) : fromPackages(wanted));
    // Modules find their neighbours (workers, migrations, package.json) from where they were before they were bundled.
    const urlOf = (path: string) => new URL(`../${path}`, folder).href;
    const module = { exports: {} };
    script.runInThisContext()(module.exports, require, module, urlOf);
    loaded.set(file, { id, script, exports: module.exports });
    return module.exports as Exports;
  }

  return {
    load,
    keepCompiled() {
      for (const [file, { id, script }] of loaded) {
        const unfinished = `${compiledFile(file)}.${process.pid}`;
        writeFileSync(unfinished, Buffer.concat([Buffer.from(headerFor(id), 'latin1'), script.createCachedData()]));
        renameSync(unfinished, compiledFile(file));
      }
    },
  };
}

/** Stack traces name our own sources. The maps are read at the first trace that somebody looks at. */
function mapStacks(folder: URL): void {
  const prefix = fileURLToPath(folder);
  const maps = new Map<string, SourceMap>();

  function mapOf(file: string): SourceMap {
    let map = maps.get(file);
    if (map === undefined) {
      map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')));
      maps.set(file, map);
    }
    return map;
  }

  function show(frame: NodeJS.CallSite): string {
    const [file, line, column] = [frame.getFileName(), frame.getLineNumber(), frame.getColumnNumber()];
    const shown = `${frame}`;
    if (!file?.startsWith(prefix) || line === null || column === null) return shown;
    const entry = mapOf(file).findEntry(line - 1, column - 1);
    if (!('originalSource' in entry) || !entry.originalSource) return shown;
    const source = fileURLToPath(new URL(entry.originalSource, folder));
    return shown.replace(`${file}:${line}:${column}`, `${source}:${entry.originalLine + 1}`);
  }

  Error.prepareStackTrace = (error, frames) => {
    const shown = frames.map((frame) => {
      try {
        return show(frame);
      } catch {
        return `${frame}`;
      }
    });
    return [Error.prototype.toString.call(error), ...shown].join('\n    at ');
  };
}
