import type { ReadyOperation } from './operations.js';

/** Signing in at Google or another provider; they stand among those of a person. */
export const GOOGLE: readonly ReadyOperation[] = [
  {
    name: 'StartGoogleSignIn',
    about: 'Where to send the browser to sign in.',
    isPublic: true,
    query: `# Open the address in this browser. It
# comes back to your app, or here to a page
# that says how to go on.
mutation StartGoogleSignIn($input: StartGoogleSignInInput) {
  startGoogleSignIn(input: $input) {
    authorizationUrl
    browserSecret
    expiresAt
  }
}`,
    variables: { input: { locale: 'en' } },
  },
  {
    name: 'CompleteGoogleSignIn',
    about: 'Signs in with what came back.',
    isPublic: true,
    query: `# Put in what stands in the address that
# the browser came back to; with the
# one-time code of the page, the code alone.
mutation CompleteGoogleSignIn($input: CompleteGoogleSignInInput!) {
  completeGoogleSignIn(input: $input) {
    __typename
    ... on AuthPayload {
      accessToken
      refreshToken
      user { id username email }
    }
    ... on SecondFactorRequired { challenge methods }
  }
}`,
    variables: { input: { code: '', state: null, issuer: null, browserSecret: '{{browserSecret}}' } },
  },
  {
    name: 'StartGoogleLink',
    about: 'Links a provider with the account; needs a fresh session.',
    query: `# Open the address in this browser. When
# it comes back here, the account is
# linked; an app goes on with LinkGoogle.
mutation StartGoogleLink($redirectUri: String) {
  startGoogleLink(redirectUri: $redirectUri) {
    authorizationUrl
    browserSecret
    expiresAt
  }
}`,
    variables: { redirectUri: null },
  },
  {
    name: 'LinkGoogle',
    about: 'Links with what came back to the app.',
    query: `# Put in what stands in the address that
# the browser came back to.
mutation LinkGoogle($input: LinkGoogleInput!) {
  linkGoogle(input: $input) {
    linkedAccount { id issuer email }
  }
}`,
    variables: { input: { code: '', state: '', issuer: null, browserSecret: '{{browserSecret}}' } },
  },
  {
    name: 'UnlinkGoogle',
    about: 'The provider signs you in no more.',
    query: `# Refused when nothing else would sign you
# in. Ends your other sessions.
mutation UnlinkGoogle {
  unlinkGoogle {
    endedSessions
  }
}`,
  },
];
