// Nothing but Argon2, on as many pool threads as there are cores: what a sign-in and a sign-up cost at least.
import { hash, verify } from '@node-rs/argon2';
import { listen } from './listen.ts';

const settings = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const stored = await hash('k7Vq2-mTz9pL-w4Rb', settings);

listen(async ({ variables: { input } }, { url }) =>
  url === '/register' ? { hash: await hash(input.password, settings) } : { ok: await verify(stored, input.password) },
);
