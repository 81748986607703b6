import { parseEnv } from 'node:util';
import { SETTINGS } from '../../src/core/config.js';

const ASSIGNMENT = /^[A-Za-z_]\w*=(?:"(?:\\.|[^"])*"|'[^']*'|\$\((?:[^()]|\([^()]*\))*\)|[^\s"'])*/;

/**
 * The single commands of a shell text: split at newlines, `;`, `&&`, `||`, `|` and `&` outside of quotes, substitutions
 * and here-documents; comments and assignments in front are taken off, and what is only an assignment is left out.
 */
export function commandsOf(text: string): string[] {
  return split(text)
    .map((command) => {
      let rest = command.trim();
      for (let match = ASSIGNMENT.exec(rest); match; match = ASSIGNMENT.exec(rest))
        rest = rest.slice(match[0].length).trim();
      return rest;
    })
    .filter((command) => command !== '');
}

function split(script: string): string[] {
  const text = script.replaceAll(/\\\n/g, ' ').replaceAll(/<<-?\s*'?(\w+)'?([^\n]*)\n[\s\S]*?\n\s*\1(?=\n|$)/g, '$2');
  const commands: string[] = [];
  let command = '';
  let quote = '';
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (quote) {
      if (char === '\\' && quote === '"') command += text[at++];
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    else if (char === '#' && /(^|\s)$/.test(command)) {
      while (at + 1 < text.length && text[at + 1] !== '\n') at += 1;
      continue;
    } else if (depth === 0 && (/[\n;|]/.test(char) || (char === '&' && !/[<>]$/.test(command)))) {
      commands.push(command);
      command = '';
      continue;
    }
    command += text[at];
  }
  return [...commands, command];
}

/** Stand-ins for the `…` of settings whose form is checked. */
const FORMS: Record<string, string> = {
  ENCRYPTION_KEY: '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=',
  DATABASE_URL: 'postgres://credence:secret@db.example.com/credence',
  REDIS_URL: 'redis://redis.example.com:6379',
};

/** What a block of nothing but settings sets, with every `…` filled in; undefined for any other block. */
export function settingsOf(text: string): Record<string, string> | undefined {
  if (commandsOf(text.replaceAll(/^(\w+=[^"'\n]*?)\s+#.*$/gm, '$1')).length > 0) return undefined;
  const values = parseEnv(text);
  const names = Object.keys(values);
  if (!names.some((name) => name in SETTINGS)) return undefined;
  return Object.fromEntries(
    names.map((name) => {
      const value = values[name] ?? '';
      return [name, value.includes('…') ? (FORMS[name] ?? value.replaceAll('…', 'a1b2c3d4e5f6g7h8')) : value];
    }),
  );
}
