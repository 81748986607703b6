// The whole command line on one page: names, options, help. What a command does stands in the file of its name, which
// is loaded when it is called: `--help` and `--version` must not wait for a database driver.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { packageVersion } from '../core/package-info.js';
import { EXIT, run } from './run.js';

/** A command with `--json` and an example, as all have that answer something. */
function add(parent: Command, usage: string, about: { does: string; example: string }): Command {
  return parent
    .command(usage)
    .description(about.does)
    .option('--json', 'write the result as one line of JSON')
    .addHelpText('after', `\nExample:\n  $ ${about.example}`);
}

const group = (program: Command, name: string, does: string) => program.command(name).description(does);

/** The command line as it stands in `--help` and in docs/SETUP_GUIDE.md. */
export function createProgram(): Command {
  const program = new Command('credence')
    .description('A self-hosted GraphQL identity API. Settings come from the environment and .env (see .env.example).')
    .version(packageVersion())
    .addHelpText(
      'after',
      '\nExit codes: 0 done, or right; 1 wrong, refused or failed; 2 usage or configuration; 130, 143 stopped by a signal.',
    );
  addServe(program);
  addMigrate(program);
  addAccounts(program);
  addProofs(program);
  addImport(program);
  addBackups(program);
  add(program, 'doctor', {
    does: 'say what is wrong with this setup and how to mend it; changes nothing, and ends with 1 when there is a problem',
    example: 'credence doctor --json',
  }).action(run(async () => (await import('./doctor.js')).doctor));
  return program;
}

/** Runs what `argv` asks for, and sets the exit code. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreGoneReader);
  const program = createProgram();
  overrideExit(program);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version are errors to commander, too, with code 0; all others are about the command line.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}

/** `credence --help | head`, or a server whose collector of log lines has ended: nobody reads on, and the work goes on. */
function ignoreGoneReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

function overrideExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExit(child);
}

function addServe(program: Command): void {
  program
    .command('serve', { isDefault: true })
    .description('start the server (what happens without a command, too)')
    .addHelpText('after', '\nExample:\n  $ PORT=8080 credence serve')
    // Being the default, it is what a mistyped command comes to.
    .allowExcessArguments()
    .action(async (_options, command: Command) => {
      const [stray] = command.args;
      if (stray !== undefined) command.error(`error: unknown command '${stray}'; see "credence --help".`);
      try {
        await (await import('./serve.js')).serveUntilStopped();
      } catch (error) {
        const { describeFailure } = await import('./failure.js');
        const { message, exitCode } = describeFailure(error);
        process.stderr.write(`${message}\n`);
        // Not the code alone: whatever was begun must not keep a server that does not serve alive.
        process.exit(exitCode);
      }
    });
}

function addMigrate(program: Command): void {
  const migrate = group(program, 'migrate', 'bring the database up or down, or say where it stands');
  const file = () => import('./migrate.js');
  add(migrate, 'up', { does: 'apply every migration that is missing', example: 'credence migrate up' }).action(
    run(async () => (await file()).migrateUp),
  );
  add(migrate, 'down', {
    does: 'take the newest migrations back, with everything their tables hold',
    example: 'credence migrate down --steps 2',
  })
    .option('--steps <n>', 'how many', parseSteps, 1)
    .action(run(async () => (await file()).migrateDown));
  add(migrate, 'status', {
    does: 'list the migrations; ends with 1 while one is pending',
    example: 'credence migrate status --json',
  }).action(run(async () => (await file()).migrateStatus));
}

function addAccounts(program: Command): void {
  const admin = group(program, 'admin', 'operators');
  add(admin, 'create', {
    does: 'make an admin, with a password that is generated and shown once, or read from standard input',
    example: 'credence admin create --username grace --email grace@example.com --permissions users:read,audit:read',
  })
    .requiredOption('--username <name>', '3 to 32 letters, digits, dots, hyphens, underscores')
    .requiredOption('--email <address>', 'where letters to the admin go')
    .option('--permissions <list>', 'separated by commas; all of them when not given', splitList)
    .option('--password-stdin', 'read the password from standard input')
    .action(run(async () => (await import('./admin-create.js')).adminCreate));
  const service = group(program, 'service', 'other programs that ask Credence');
  add(service, 'create', {
    does: 'make a service and show its key once',
    example: 'credence service create --name billing --scopes tokens:validate,credits:use',
  })
    .requiredOption('--name <name>', '1 to 100 letters, digits, spaces, dots, hyphens, underscores')
    .option('--scopes <list>', 'separated by commas; all of them when not given', splitList)
    .action(run(async () => (await import('./service-create.js')).serviceCreate));
  add(service, 'make-key', {
    does: 'print a new key for INTERNAL_SERVICE_KEY; touches nothing',
    example: 'credence service make-key',
  }).action(run(async () => (await import('./service-create.js')).serviceMakeKey));
  const keys = group(program, 'keys', 'the keys that sign access tokens');
  add(keys, 'rotate', {
    does: 'let the next key sign; running servers notice by themselves',
    example: 'credence keys rotate --immediately',
  })
    .option('--immediately', 'refuse tokens under the former keys at once')
    .action(run(async () => (await import('./keys-rotate.js')).keysRotate));
}

function addProofs(program: Command): void {
  const audit = group(program, 'audit', 'the audit log');
  add(audit, 'verify', {
    does: 'check the whole hash chain; ends with 1 and names the first broken row when it does not hold',
    example: 'credence audit verify --json',
  }).action(run(async () => (await import('./audit-verify.js')).auditVerify));
  const ledger = group(program, 'ledger', 'the credits ledger');
  add(ledger, 'verify', {
    does: 'add up all books anew; ends with 1 and names each broken account (the first 1,000) when one is wrong',
    example: 'credence ledger verify',
  }).action(run(async () => (await import('./ledger-verify.js')).ledgerVerify));
}

function addImport(program: Command): void {
  const users = group(program, 'users', 'the people with accounts');
  add(users, 'import <file>', {
    does:
      'take in people from CSV (with a header) or JSON lines: username, email, emailVerified, passwordHash (Argon2id or ' +
      'bcrypt), displayName, locale, timeZone, createdAt, credits. A run that was stopped goes on when it is started ' +
      'again; ends with 1 when a line was rejected',
    example: 'credence users import people.csv --dry-run',
  })
    .addOption(new Option('--format <format>', 'when the ending of the name does not say it').choices(['csv', 'jsonl']))
    .addOption(
      new Option('--on-conflict <what>', 'when somebody with the address is there: leave the line, or stop')
        .choices(['skip', 'fail'])
        .default('skip'),
    )
    .option('--dry-run', 'do it all and take it back')
    .option('--restart', 'begin at the head of the file, whatever came in before')
    .option('--report <file>', 'where rejected lines are listed; <file>.rejected.csv when not given')
    .action(run(async () => (await import('./users-import.js')).usersImport));
}

function addBackups(program: Command): void {
  add(program, 'backup <file>', {
    does: 'write database, encryption key and files into one file that holds secrets; PostgreSQL by pg_dump',
    example: 'credence backup credence-2026-01-31.backup',
  })
    .option('--without-keys', 'leave the encryption key out; keep it somewhere else')
    .option('--without-files', 'leave avatars and exports out')
    .action(run(async () => (await import('./backup.js')).backup));
  add(program, 'restore <file>', {
    does: 'put a backup in the place of an empty database, then verify ledger and audit log; ends with 1 when they are not right',
    example: 'credence restore credence-2026-01-31.backup',
  })
    .option('--force', 'replace what is there; stop every server first')
    .action(run(async () => (await import('./restore.js')).restore));
}

function parseSteps(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('A whole number from 1.');
  return Number(text);
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
