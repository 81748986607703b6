import type { Answer, Call, Harness } from '../support/harness.js';
import type { ScriptedProvider, Subject, Twist } from '../support/scripted-provider.js';

export const SIGNED_IN = `__typename
  ... on AuthPayload { accessToken refreshToken user { id username email emailVerified displayName locale } }
  ... on SecondFactorRequired { challenge methods }`;

export interface Redirect {
  authorizationUrl: string;
  browserSecret: string;
  state: string;
}

export function startGoogleSignIn(h: Harness, input: Record<string, unknown> = {}, call: Call = {}): Promise<Answer> {
  const text = `mutation($input: StartGoogleSignInInput) {
    startGoogleSignIn(input: $input) { authorizationUrl browserSecret state expiresAt } }`;
  return h.graphql(text, { ...call, variables: { input } });
}

export function completeGoogleSignIn(h: Harness, input: Record<string, unknown>, call: Call = {}): Promise<Answer> {
  const text = `mutation($input: CompleteGoogleSignInInput!) { completeGoogleSignIn(input: $input) { ${SIGNED_IN} } }`;
  return h.graphql(text, { ...call, variables: { input } });
}

export function startGoogleLink(h: Harness, token: string, call: Call = {}): Promise<Answer> {
  const text = 'mutation { startGoogleLink { authorizationUrl browserSecret state expiresAt } }';
  return h.graphql(text, { ...call, token });
}

export function linkGoogle(h: Harness, token: string, input: Record<string, unknown>): Promise<Answer> {
  const text = `mutation($input: LinkGoogleInput!) { linkGoogle(input: $input) { linkedAccount { id issuer email lastUsedAt } } }`;
  return h.graphql(text, { token, variables: { input } });
}

export function unlinkGoogle(h: Harness, token: string, id?: string): Promise<Answer> {
  const text = 'mutation($id: ID) { unlinkGoogle(id: $id) { endedSessions user { id } } }';
  return h.graphql(text, { token, variables: { id } });
}

/** The whole way: begin, agree at the provider, come back. */
export async function signInAt(
  h: Harness,
  provider: ScriptedProvider,
  subject: Subject,
  options: { twist?: Twist; input?: Record<string, unknown>; call?: Call } = {},
): Promise<Answer> {
  const { twist, input, call } = options;
  const begun: Redirect = (await startGoogleSignIn(h, input, call)).data.startGoogleSignIn;
  const back = provider.comeBack(begun.authorizationUrl, subject, twist);
  return completeGoogleSignIn(h, { ...back, browserSecret: begun.browserSecret }, call);
}

export async function linkAt(h: Harness, provider: ScriptedProvider, token: string, subject: Subject): Promise<Answer> {
  const begun: Redirect = (await startGoogleLink(h, token)).data.startGoogleLink;
  const back = provider.comeBack(begun.authorizationUrl, subject);
  return linkGoogle(h, token, { ...back, browserSecret: begun.browserSecret });
}

let counter = 0;
/** Somebody at the provider whom nobody else is. */
export function subject(changes: Partial<Subject> = {}): Subject & { email: string } {
  counter += 1;
  const name = `google${process.pid}x${counter}`;
  return { sub: `subject-${name}`, email: `${name}@example.com`, email_verified: true, ...changes } as Subject & {
    email: string;
  };
}
