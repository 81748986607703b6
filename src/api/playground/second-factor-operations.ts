import type { ReadyOperation } from './operations.js';

/** For whoever is signed in, of whatever kind; they stand among those of a person. */
export const SECOND_FACTOR: readonly ReadyOperation[] = [
  {
    name: 'StartTotpEnrollment',
    about: 'A secret for an authenticator app.',
    query: `# A secret for an authenticator app. It
# does nothing until one code was
# accepted.
mutation StartTotpEnrollment {
  startTotpEnrollment { secret uri }
}`,
  },
  {
    name: 'ConfirmTotpEnrollment',
    about: 'Switches the second factor on.',
    query: `# Put in the code that the app shows.
# The backup codes are shown this once.
mutation ConfirmTotpEnrollment($code: String!) {
  confirmTotpEnrollment(code: $code) {
    backupCodes
  }
}`,
    variables: { code: '' },
  },
  {
    name: 'CompleteSecondFactor',
    about: 'The second half of a sign-in.',
    isPublic: true,
    query: `# Login answered SecondFactorRequired:
# put in a code of the app, or a backup
# code.
mutation CompleteSecondFactor($input: CompleteSecondFactorInput!) {
  completeSecondFactor(input: $input) {
    __typename
    ... on AuthPayload {
      accessToken
      refreshToken
      user { id }
    }
    ... on StaffAuthPayload { accessToken }
    ... on AdminAuthPayload { accessToken }
  }
}`,
    variables: { input: { challenge: '{{challenge}}', code: '' } },
  },
  {
    name: 'DisableTotp',
    about: 'Switches the second factor off.',
    query: `# With a code of the app, or a backup
# code. Ends your other sessions.
mutation DisableTotp($code: String!) {
  disableTotp(code: $code) { ok }
}`,
    variables: { code: '' },
  },
];
