import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

export interface Instruction {
  readonly name: string;
  /** Everything behind the name, on one line. */
  readonly rest: string;
}

export interface Stage {
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

/** The Dockerfile, stage by stage; lines that end in a backslash are one, comments are left out. */
export function readStages(): Stage[] {
  const text = readFileSync(resolve(root, 'Dockerfile'), 'utf8').replaceAll(/^\s*#.*\n/gm, '');
  const lines = text.replaceAll(/\\\n\s*/g, '').split('\n');
  const stages: { name: string; instructions: Instruction[] }[] = [];
  for (const line of lines.filter((text) => text.trim() !== '')) {
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === '') throw new Error(`not an instruction: ${line}`);
    if (name === 'FROM') stages.push({ name: / AS (\w+)$/.exec(rest)?.[1] ?? '', instructions: [] });
    stages.at(-1)?.instructions.push({ name, rest });
  }
  return stages;
}

export const lastStage = (): Stage => {
  const stage = readStages().at(-1);
  if (!stage) throw new Error('no stage');
  return stage;
};

export const restOf = (stage: Stage, name: string): string[] =>
  stage.instructions.filter((instruction) => instruction.name === name).map(({ rest }) => rest);

export interface Copy {
  /** The stage it comes from; undefined: the folder of the Dockerfile. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

export function copiesOf(stage: Stage): Copy[] {
  return restOf(stage, 'COPY').map((rest) => {
    const words = rest.split(/\s+/);
    const paths = words.filter((word) => !word.startsWith('--'));
    return {
      from: /--from=(\S+)/.exec(rest)?.[1],
      sources: paths.slice(0, -1),
      target: paths.at(-1) ?? '',
    };
  });
}

/** `ENV A=1 B=2` → `{ A: '1', B: '2' }` */
export const environmentOf = (stage: Stage): Record<string, string> =>
  Object.fromEntries(
    restOf(stage, 'ENV').flatMap((rest) => [...rest.matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name, value])),
  );
