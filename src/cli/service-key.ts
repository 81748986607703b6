import { Command } from 'commander';
import { makeKey } from '../core/secrets.js';

/** Prints a new key for INTERNAL_SERVICE_KEY; touches nothing. */
export function serviceKeyCommand(): Command {
  return new Command('service-key').description('print a new key for INTERNAL_SERVICE_KEY').action(() => {
    process.stdout.write(`${makeKey('svc')}\n`);
  });
}
