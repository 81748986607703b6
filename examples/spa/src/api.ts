import { authExchange } from '@urql/exchange-auth';
import { Client, type CombinedError, cacheExchange, fetchExchange, type Operation } from 'urql';
import { LogoutDocument, RefreshTokenDocument } from './operations.ts';
import { codeOf, SessionEnded } from './problems.ts';
import { currentAccessToken, isSignedIn, renew, type SignedIn, signOut } from './session.ts';

/** The access token, or the refresh token, is of no use. Everything else says nothing about the session. */
const ENDED = new Set(['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'ACCOUNT_SUSPENDED']);
const isRefusal = (error: CombinedError) => ENDED.has(codeOf(error) ?? '');

function tokenOf({ context: { fetchOptions } }: Operation): string | null {
  const { headers } = (typeof fetchOptions === 'function' ? fetchOptions() : fetchOptions) ?? {};
  return new Headers(headers).get('authorization')?.slice('Bearer '.length) ?? null;
}

/**
 * The client of one person, with an empty cache: who signs in next must not see what the last one saw.
 *
 * An access token is renewed when Credence refuses it, not by the clock: people's clocks are wrong.
 */
export function createApi(userId: string | null): Client {
  const auth = authExchange(async ({ appendHeaders, mutate }) => {
    let refused: string | null = null;

    async function ask(signal: AbortSignal): Promise<SignedIn | null> {
      // keepalive: the new cookie arrives even if the tab is closed before the answer.
      const fetchOptions = { keepalive: true, signal };
      const { data, error } = await mutate(RefreshTokenDocument, {}, { fetchOptions });
      if (data?.refreshToken.user)
        return { userId: data.refreshToken.user.id, accessToken: data.refreshToken.accessToken };
      if (error && !isRefusal(error)) throw error;
      return null;
    }

    return {
      addAuthToOperation(operation) {
        const token = currentAccessToken();
        return token === null ? operation : appendHeaders(operation, { authorization: `Bearer ${token}` });
      },
      willAuthError() {
        refused = null;
        return userId !== null && currentAccessToken() === null;
      },
      didAuthError(error, operation) {
        refused = tokenOf(operation);
        return refused !== null && isRefusal(error);
      },
      async refreshAuth() {
        await renew(refused, ask);
        if (currentAccessToken() === null) throw new SessionEnded();
      },
    };
  });
  return new Client({
    url: '/graphql',
    // What a GET asks for is written down by every proxy on the way.
    preferGetMethod: false,
    requestPolicy: 'cache-and-network',
    exchanges: [cacheExchange, auth, fetchExchange],
  });
}

/** Signs out, in all tabs. Answers the error when Credence could not be reached: then nothing has ended. */
export async function logout(api: Client): Promise<CombinedError | undefined> {
  const { error } = await api.mutation(LogoutDocument, {});
  if (error && !isRefusal(error) && isSignedIn()) return error;
  signOut();
  return undefined;
}
