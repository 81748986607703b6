// Who is signed in, in this tab and in all others of this browser.
//
// The refresh token is in an HttpOnly cookie that no script can read. The access token is in the memory of the tabs and
// nowhere else: what a script steals from storage works elsewhere, and for longer. What is kept in storage is the id of
// the person, which opens nothing: it says that asking for an access token is worth a request.
import { useSyncExternalStore } from 'react';

export interface SignedIn {
  readonly userId: string;
  readonly accessToken: string;
}

const STORED = 'example:user';
const LOCK = 'example:refresh';
const RENEW_TIMEOUT_MS = 15_000;

let userId = localStorage.getItem(STORED);
let accessToken: string | null = null;
const listeners = new Set<() => void>();

const tabs = new BroadcastChannel('example:session');
tabs.onmessage = ({ data }: MessageEvent<SignedIn | null>) => take(data);

/** What this tab now knows; null: nobody is signed in. */
function take(now: SignedIn | null): void {
  accessToken = now?.accessToken ?? null;
  userId = now?.userId ?? null;
  if (userId === null) localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, userId);
  for (const listener of listeners) listener();
}

function tellAllTabs(now: SignedIn | null): void {
  take(now);
  tabs.postMessage(now);
}

export function signIn(now: SignedIn): void {
  tellAllTabs(now);
}

/** After `logout`, or when Credence said that the session has ended. */
export function signOut(): void {
  tellAllTabs(null);
}

export function currentAccessToken(): string | null {
  return accessToken;
}

export function isSignedIn(): boolean {
  return userId !== null;
}

/** The id of the person who is signed in; null: nobody is. */
export function useUserId(): string | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => userId,
  );
}

/**
 * Gets a new access token in place of `refused`. One tab asks and tells the others; those that waited for the lock find
 * that it is done. (Credence would forgive two at once: the refresh token before the current one counts for 20 seconds.)
 *
 * @param ask null means that Credence refused: the session has ended, for every tab. It throws when there was no answer,
 *   which ends nothing.
 */
export async function renew(refused: string | null, ask: (signal: AbortSignal) => Promise<SignedIn | null>) {
  await navigator.locks.request(LOCK, async () => {
    if (accessToken === refused) tellAllTabs(await ask(AbortSignal.timeout(RENEW_TIMEOUT_MS)));
  });
}
