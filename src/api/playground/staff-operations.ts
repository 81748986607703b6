import type { Role } from './operations.js';

const PASSWORD = 'copper kettles under 4 tall pines';

export const STAFF: Role = {
  name: 'Support staff',
  about: 'An admin makes a staff member with CreateStaff; the invitation is in the mailbox.',
  headers: { Authorization: 'Bearer {{staffAccessToken}}' },
  operations: [
    {
      name: 'AcceptInvitation',
      about: 'Sets the first password.',
      isPublic: true,
      query: `# With the token of the invitation.
# Nobody ever chooses another's password.
mutation AcceptInvitation($input: AcceptInvitationInput!) {
  acceptInvitation(input: $input) { ok }
}`,
      variables: { input: { token: '{{invitationToken}}', password: PASSWORD } },
    },
    {
      name: 'StaffLogin',
      about: 'Signs a staff member in.',
      isPublic: true,
      query: `# Signs a staff member in.
mutation StaffLogin($input: StaffLoginInput!) {
  staffLogin(input: $input) {
    __typename
    ... on StaffAuthPayload {
      accessToken
      refreshToken
      staff { id level }
    }
    ... on SecondFactorRequired { challenge }
  }
}`,
      variables: { input: { identifier: 'joan', password: PASSWORD } },
    },
    {
      name: 'StaffMe',
      about: 'Who I am and at which level.',
      query: `# 1 looks, 2 helps, 3 decides.
query StaffMe {
  staffMe { id username level }
}`,
    },
    {
      name: 'AddUserNote',
      about: 'A note for other operators (level 1).',
      query: `# For other operators. The person does
# not see it.
mutation AddUserNote($input: AddUserNoteInput!) {
  addUserNote(input: $input) {
    note { id text createdAt }
  }
}`,
      variables: { input: { userId: '{{userId}}', text: 'Called about an invoice.' } },
    },
    {
      name: 'UserNotes',
      about: 'What others wrote (level 1).',
      query: `# Level 1 sees the address masked.
query UserNotes($id: ID!) {
  user(id: $id) {
    username
    email
    notes(first: 20) {
      nodes { text authorKind createdAt }
    }
  }
}`,
      variables: { id: '{{userId}}' },
    },
    {
      name: 'SendUserPasswordReset',
      about: 'Sends the letter (level 1).',
      query: `# The person gets the letter and chooses
# the password.
mutation SendUserPasswordReset($userId: ID!) {
  sendUserPasswordReset(userId: $userId) { ok }
}`,
      variables: { userId: '{{userId}}' },
    },
    {
      name: 'UnlockUser',
      about: 'After too many wrong guesses (level 2).',
      query: `# After too many wrong guesses.
mutation UnlockUser($userId: ID!, $reason: String!) {
  unlockUser(userId: $userId, reason: $reason) {
    user { id status }
  }
}`,
      variables: { userId: '{{userId}}', reason: 'called and proved it' },
    },
    {
      name: 'RevokeUserSessions',
      about: 'Signs a person out everywhere (level 2).',
      query: `# Signs a person out everywhere. Admins
# may give a filter instead of a userId.
mutation RevokeUserSessions($input: RevokeUserSessionsInput!) {
  revokeUserSessions(input: $input) {
    endedSessions
    people
  }
}`,
      variables: { input: { userId: '{{userId}}', reason: 'lost the phone' } },
    },
    {
      name: 'AdjustCredits',
      about: 'Up or down, with a cap a day (level 3).',
      query: `# Up or down, never below zero. Staff
# have a cap for each day.
mutation AdjustCredits($input: AdjustCreditsInput!) {
  adjustCredits(input: $input) {
    transaction { kind amount balanceAfter }
    account { balance available }
    replayed
  }
}`,
      variables: {
        input: { userId: '{{userId}}', amount: 25, reason: 'made good', idempotencyKey: '{{newKey}}' },
      },
    },
  ],
};
