import type { Config } from '../core/config.js';
import { verifySmtp } from '../core/mailer-smtp.js';
import { createOpenId } from '../core/openid.js';
import { probeRedis } from '../core/redis-probe.js';
import { createStorage } from '../core/storage.js';
import { type Check, codeOf, type Finding, ok, problem, type Scope, warning } from './doctor-scope.js';
import { commandLog } from './opening.js';

/** Other machines, one check each. */
export const OUTSIDE_CHECKS: readonly Check[] = [
  { name: 'redis', look: ({ config }) => lookAtRedis(config) },
  { name: 'mail', look: ({ config }) => lookAtMail(config) },
  { name: 'openid', look: ({ config }) => lookAtProvider(config) },
  { name: 'files', look: lookAtStorage },
];

const PATIENCE_MS = 3_000;

async function lookAtRedis({ redisUrl }: Config): Promise<Finding[]> {
  if (redisUrl === undefined) return [ok('Limits are counted in this process (REDIS_URL is not set).')];
  try {
    const { version, evictionPolicy, maxMemoryBytes } = await probeRedis(redisUrl, PATIENCE_MS);
    if (maxMemoryBytes > 0 && evictionPolicy !== 'noeviction') {
      const advice = 'Set maxmemory-policy noeviction: a counter that is thrown out gives a guesser new tries.';
      return [warning(`Redis ${version} answers, and throws keys out when it is full (${evictionPolicy}).`, advice)];
    }
    return [ok(`Redis ${version} answers (${evictionPolicy}).`)];
  } catch (error) {
    const advice = 'Is it running, and does REDIS_URL lead to it? Until then each instance counts limits alone.';
    return [problem(`Redis does not answer (${codeOf(error)}).`, advice)];
  }
}

async function lookAtMail({ mail, environment }: Config): Promise<Finding[]> {
  if (mail.transport === 'mailbox') return [ok('Letters are kept in the mailbox of this server and sent to nobody.')];
  const findings: Finding[] = [];
  if (/@localhost\b|\.localdomain\b/.test(mail.from))
    findings.push(warning('MAIL_FROM is of this machine.', 'Set an address of a domain that may send (SPF, DKIM).'));
  if (mail.transport === 'resend')
    return [
      ...findings,
      ok(`The Resend key has the form of one; "SendTestEmail" in the playground tries it (${environment}).`),
    ];
  try {
    await verifySmtp(mail.smtpUrl, PATIENCE_MS);
    findings.push(ok('The mail server takes the connection and the sign-in; nothing was sent.'));
  } catch (error) {
    const advice = 'Letters wait and are tried again for 24 hours: mend SMTP_URL or the mail server.';
    findings.push(
      problem(`The mail server cannot be used (${error instanceof Error ? error.message : codeOf(error)}).`, advice),
    );
  }
  return findings;
}

async function lookAtProvider(config: Config): Promise<Finding[]> {
  if (!config.google) return [ok('Nobody signs in through a provider (GOOGLE_CLIENT_ID is not set).')];
  const provider = createOpenId(config.google, {
    log: commandLog({ ...config, log: { ...config.log, level: 'silent' } }),
    requireOutside: () => undefined,
  });
  const departure = {
    redirectUri: `${config.server.publicUrl}/auth/google/callback`,
    state: 'doctor',
    nonce: 'doctor',
    verifier: 'doctor'.repeat(8),
  };
  try {
    await provider.authorizationUrl(departure);
    return [ok(`${new URL(config.google.issuer).host} describes itself as an OpenID provider.`)];
  } catch {
    const advice =
      'GOOGLE_ISSUER must be spelled as the provider’s discovery document has it, and be reachable from here.';
    return [problem(`${new URL(config.google.issuer).host} cannot be read as an OpenID provider.`, advice)];
  }
}

/** An object that nobody has: whether it is missing can only be said by who may look. */
const NOBODYS = `u/${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}/${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}.webp`;

async function lookAtStorage({ config }: Scope): Promise<Finding[]> {
  const quiet = commandLog({ ...config, log: { ...config.log, level: 'silent' } });
  const storage = createStorage(config, { log: quiet, requireOutside: () => undefined });
  try {
    await storage.open(NOBODYS);
    return [ok(storage.kind === 'local' ? 'Files are kept in DATA_DIR/files.' : 'The bucket answers and may be read.')];
  } catch (error) {
    const advice =
      storage.kind === 'local'
        ? 'Let the account of the server own DATA_DIR/files.'
        : 'Look at S3_BUCKET, S3_REGION or S3_ENDPOINT, the keys, and whether they may list and read (docs/SETUP_GUIDE.md, Storage of files).';
    return [problem(`Files cannot be read (${codeOf(error)}).`, advice)];
  } finally {
    await storage.close();
  }
}
