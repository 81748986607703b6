import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.js';
import { expectSection } from './sections.js';

/** Every command that does something, with the words that call it. */
function leaves(command: Command, words: string[] = []): { words: string[]; command: Command }[] {
  if (command.commands.length === 0) return [{ words, command }];
  return command.commands.flatMap((child) => leaves(child, [...words, child.name()]));
}

const commands = leaves(createProgram());

function helpOf(command: Command): string {
  const texts: string[] = [];
  // As on a page of this width, whatever the terminal of whoever runs this.
  command.configureOutput({ writeOut: (text) => texts.push(text), getOutHelpWidth: () => 116 });
  command.outputHelp();
  return texts.join('').trimEnd();
}

describe('the command line', () => {
  it('stands in the guide as --help has it (npm run generate writes it)', async () => {
    const rows = commands.map(({ words, command }) => `| \`credence ${words.join(' ')}\` | ${command.description()} |`);
    const help = commands.map(
      ({ words, command }) => `### credence ${words.join(' ')}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``,
    );
    const content = ['| command | what it does |', '|---|---|', ...rows].join('\n');
    await expectSection('docs/SETUP_GUIDE.md', {
      name: 'command line',
      content: `\n${content}\n\n${help.join('\n\n')}\n`,
    });
  });

  it('has an example and a description in each, and --json in all but serve', () => {
    expect(commands.length).toBeGreaterThan(12);
    for (const { words, command } of commands) {
      const name = words.join(' ');
      expect(command.description(), name).not.toBe('');
      expect(helpOf(command), name).toMatch(/Example:\n {2}\$ .*credence/);
      if (name !== 'serve') expect(helpOf(command), name).toContain('--json');
    }
  });
});
