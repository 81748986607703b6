// A child process that hashes: started by passwords.ts, one job after the other, over the IPC channel only. It runs as built
// and, under the test runner, as it stands here (Node strips the types), so it imports nothing of ours.
import { setPriority } from 'node:os';
import { hashSync, verifySync } from '@node-rs/argon2';
import { verifySync as verifyBcryptSync } from '@node-rs/bcrypt';

export interface HashSettings {
  readonly memoryKiB: number;
  readonly iterations: number;
  readonly parallelism: number;
}

export type HashJob =
  | { readonly kind: 'hash'; readonly password: string; readonly settings: HashSettings }
  | { readonly kind: 'argon2' | 'bcrypt'; readonly password: string; readonly stored: string };

/** The PHC string of a hash; whether a verification held; undefined when it could not be computed. */
export type HashAnswer = string | boolean | undefined;

function work(job: HashJob): HashAnswer {
  try {
    if (job.kind === 'hash') return hash(job.password, job.settings);
    return job.kind === 'argon2' ? verifySync(job.stored, job.password) : verifyBcryptSync(job.password, job.stored);
  } catch {
    return undefined;
  }
}

function hash(password: string, { memoryKiB, iterations, parallelism }: HashSettings): string {
  // 2 is Argon2id, 1 is version 0x13 (the package's const enums cannot be imported here). Salts are 16 random bytes.
  return hashSync(password, {
    algorithm: 2,
    version: 1,
    memoryCost: memoryKiB,
    timeCost: iterations,
    parallelism,
    outputLen: 32,
  });
}

// Answering requests comes before hashing: on a busy machine the scheduler lets the server go first.
try {
  setPriority(19);
} catch {
  // Where that is not allowed, hashing still runs beside the server.
}

// A signal to the whole group (Ctrl-C, a service manager) must not lose the sign-ins being drained: the parent decides.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
// The channel closes when the parent lets go, and when it dies in whatever way.
process.on('disconnect', () => process.exit());
process.on('message', (job: HashJob) => {
  process.send?.({ answer: work(job) });
});
