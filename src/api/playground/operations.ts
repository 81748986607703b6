import { BOOKS, BUYING, SELLING } from './billing-operations.js';
import { GOOGLE } from './google-operations.js';
import { LETTERS } from './letter-operations.js';
import { SECOND_FACTOR } from './second-factor-operations.js';
import { STAFF } from './staff-operations.js';
import { WEBHOOKS } from './webhook-operations.js';

/**
 * The playground's ready operations, per role: named, commented, runnable, in the order in which one tries them.
 * `{{name}}` in variables and headers stands for a value of `VALUES`, which the page fills in when the operation runs.
 * A test holds every one of them against `schema.graphql`.
 */
export interface Role {
  readonly name: string;
  readonly about: string;
  /** What goes along with each of its operations. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly operations: readonly ReadyOperation[];
}

export interface ReadyOperation {
  /** The operation's name in the document, and the title of its tab. */
  readonly name: string;
  readonly about: string;
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Goes without the role's headers: nobody is signed in yet. */
  readonly isPublic?: true;
}

export interface PlaygroundValue {
  readonly name: string;
  readonly about: string;
  /** Where it is found in the `data` of an answer, in any operation; the newest answer wins. */
  readonly from?: readonly string[];
  /** The path of the link that carries it: read from the development mailbox when left empty. */
  readonly link?: string;
}

/** `{{newKey}}` is not among them: it is a random text, another one at each run. */
export const VALUES: readonly PlaygroundValue[] = [
  {
    name: 'accessToken',
    about: 'from register or login',
    from: ['register.accessToken', 'login.accessToken', 'completeGoogleSignIn.accessToken', 'refreshToken.accessToken'],
  },
  {
    name: 'refreshToken',
    about: 'from register or login',
    from: [
      'register.refreshToken',
      'login.refreshToken',
      'completeGoogleSignIn.refreshToken',
      'refreshToken.refreshToken',
    ],
  },
  {
    name: 'userId',
    about: 'from register, login or users',
    from: ['register.user.id', 'login.user.id', 'validateToken.user.id', 'users.nodes.0.id'],
  },
  {
    name: 'browserSecret',
    about: 'from startGoogleSignIn or startGoogleLink',
    from: ['startGoogleSignIn.browserSecret', 'startGoogleLink.browserSecret'],
  },
  { name: 'verifyEmailToken', about: 'empty: from the mailbox', link: '/verify-email' },
  { name: 'resetPasswordToken', about: 'empty: from the mailbox', link: '/reset-password' },
  { name: 'uploadId', about: 'from createAvatarUpload', from: ['createAvatarUpload.uploadId'] },
  {
    name: 'exportId',
    about: 'from createDataExport',
    from: ['createDataExport.dataExport.id', 'dataExports.0.id'],
  },
  { name: 'apiKeyId', about: 'from createApiKey', from: ['createApiKey.apiKey.id'] },
  { name: 'serviceKey', about: 'printed at the first start', from: ['createService.key'] },
  { name: 'holdId', about: 'from holdCredits', from: ['holdCredits.hold.id'] },
  { name: 'priceId', about: 'from Products', from: ['products.nodes.0.prices.0.id'] },
  { name: 'paymentMethodId', about: 'from Subscription, or as MyBilling shows it', from: ['paymentMethods.0.id'] },
  { name: 'adminAccessToken', about: 'from adminLogin', from: ['adminLogin.accessToken'] },
  { name: 'staffAccessToken', about: 'from staffLogin', from: ['staffLogin.accessToken'] },
  { name: 'invitationToken', about: 'empty: from the mailbox', link: '/accept-invitation' },
  {
    name: 'challenge',
    about: 'from login with a second factor',
    from: ['login.challenge', 'staffLogin.challenge', 'adminLogin.challenge'],
  },
  { name: 'serviceId', about: 'from createService', from: ['createService.service.id'] },
  { name: 'deliveryId', about: 'from emailDeliveries', from: ['emailDeliveries.nodes.0.id'] },
  {
    name: 'endpointId',
    about: 'from createWebhookEndpoint',
    from: ['createWebhookEndpoint.endpoint.id', 'webhookEndpoints.nodes.0.id'],
  },
  { name: 'webhookDeliveryId', about: 'from webhookDeliveries', from: ['webhookDeliveries.nodes.0.id'] },
];

const PASSWORD = 'paper lanterns over 9 quiet rivers';

const NEW_PERSON: Role = {
  name: 'New person',
  about: 'Nobody is signed in. Sign up, prove the address, sign in.',
  operations: [
    {
      name: 'Register',
      about: 'Creates an account and signs it in at once.',
      query: `# Creates an account and signs it in at
# once. The verification letter is on
# its way. The tokens of the answer are
# kept on the left and used by the other
# operations.
mutation Register($input: RegisterInput!) {
  register(input: $input) {
    accessToken
    accessTokenExpiresAt
    refreshToken
    user {
      id
      username
      email
      emailVerified
    }
  }
}`,
      variables: { input: { username: 'ada', email: 'ada@example.com', password: PASSWORD } },
    },
    {
      name: 'VerifyEmail',
      about: 'Proves the address with the token of the letter.',
      query: `# Proves the address with the token of
# the letter. A token works once. Left
# empty, the token is read from the
# development mailbox (/dev/mailbox).
mutation VerifyEmail($token: String!) {
  verifyEmail(token: $token) {
    user { id emailVerified }
  }
}`,
      variables: { token: '{{verifyEmailToken}}' },
    },
    {
      name: 'Login',
      about: 'Signs in with user name or email address.',
      query: `# Signs in with user name or email
# address. With a second factor on, the
# answer is a challenge instead.
mutation Login($input: LoginInput!) {
  login(input: $input) {
    __typename
    ... on AuthPayload {
      accessToken
      accessTokenExpiresAt
      refreshToken
      user { id username }
    }
    ... on SecondFactorRequired {
      challenge
      methods
      expiresAt
    }
  }
}`,
      variables: { input: { identifier: 'ada', password: PASSWORD } },
    },
    {
      name: 'RefreshToken',
      about: 'Exchanges the refresh token for a new pair.',
      query: `# Exchanges the refresh token for a new
# pair. The one before the current is
# honoured for 20 seconds (two tabs must
# not sign anyone out); anything older
# ends the session.
mutation RefreshToken($refreshToken: String) {
  refreshToken(refreshToken: $refreshToken) {
    accessToken
    accessTokenExpiresAt
    refreshToken
    user { id }
  }
}`,
      variables: { refreshToken: '{{refreshToken}}' },
    },
    {
      name: 'ResendVerificationEmail',
      about: 'Another verification letter.',
      query: `# Another verification letter. The
# answer is the same for every address,
# known or not.
mutation ResendVerificationEmail($email: EmailAddress!) {
  resendVerificationEmail(email: $email) { ok }
}`,
      variables: { email: 'ada@example.com' },
    },
    {
      name: 'RequestPasswordReset',
      about: 'A letter with a link to reset it.',
      query: `# A letter with a link that lives 30
# minutes. The answer is the same for
# every address, known or not.
mutation RequestPasswordReset($email: EmailAddress!) {
  requestPasswordReset(email: $email) { ok }
}`,
      variables: { email: 'ada@example.com' },
    },
    {
      name: 'ResetPassword',
      about: 'A new password; ends all sessions.',
      query: `# Sets a new password with the token of
# the letter, and ends all sessions.
mutation ResetPassword($input: ResetPasswordInput!) {
  resetPassword(input: $input) {
    endedSessions
  }
}`,
      variables: { input: { token: '{{resetPasswordToken}}', newPassword: PASSWORD } },
    },
    {
      name: 'PasswordPolicy',
      about: 'The rules a sign-up form needs.',
      query: `# The rules a sign-up form needs, and
# what this server offers.
query PasswordPolicy {
  passwordPolicy {
    minLength
    maxLength
    refusesCommon
    refusesPersonal
  }
  serviceInfo { name version }
}`,
    },
  ],
};

const PERSON: Role = {
  name: 'Signed-in person',
  about: 'Run Register or Login first: the access token goes along by itself.',
  headers: { Authorization: 'Bearer {{accessToken}}' },
  operations: [
    {
      name: 'Me',
      about: 'The signed-in person, credits and limits.',
      query: `# The signed-in person with credits and
# what is left of today's limits. Asks
# for a verified address.
query Me {
  me {
    id
    username
    email
    creditAccount { balance held available }
    usage {
      conversations {
        limit
        used
        remaining
        resetsAt
      }
    }
  }
}`,
    },
    {
      name: 'CurrentSession',
      about: 'This session, also when unverified.',
      query: `# This session and whose it is. Answers
# before the address is verified, too.
query CurrentSession {
  currentSession {
    id
    createdAt
    lastUsedAt
    method
    user { username emailVerified }
  }
}`,
    },
    {
      name: 'MySessions',
      about: 'Where the account is signed in.',
      query: `# Every place where the account is
# signed in.
query MySessions {
  me {
    sessions(first: 20) {
      nodes {
        id
        current
        createdAt
        lastUsedAt
        ip
        userAgent
        method
      }
      totalCount
    }
  }
}`,
    },
    {
      name: 'UpdateProfile',
      about: 'Display name, language, time zone.',
      query: `# Display name, language and time zone.
# Daily limits turn at midnight of that
# zone.
mutation UpdateProfile($input: UpdateProfileInput!) {
  updateProfile(input: $input) {
    user { displayName locale timeZone }
  }
}`,
      variables: { input: { displayName: 'Ada Lovelace', timeZone: 'Europe/London' } },
    },
    {
      name: 'CreateAvatarUpload',
      about: 'Where to send a picture.',
      query: `# Where to send a picture, and how. From
# a shell, with one -F for each of fields
# and the file last:
#   curl -F file=@me.png "<url>"
mutation CreateAvatarUpload($input: CreateAvatarUploadInput!) {
  createAvatarUpload(input: $input) {
    uploadId
    url
    fields
    maxBytes
    expiresAt
  }
}`,
      variables: { input: { contentType: 'image/png' } },
    },
    {
      name: 'UseAvatarUpload',
      about: 'Makes the picture that was sent the avatar.',
      query: `# Once the file is sent, it becomes the
# avatar. Its bytes are looked at: what is
# no image of the announced type is refused.
mutation UseAvatarUpload($input: UpdateProfileInput!) {
  updateProfile(input: $input) {
    user { avatarUrl }
  }
}`,
      variables: { input: { avatarUploadId: '{{uploadId}}' } },
    },
    {
      name: 'Reauthenticate',
      about: 'Makes the session fresh (level FRESH).',
      query: `# Confirms the password. For ten minutes
# the session may then do what asks for
# level FRESH (API keys, deletion).
mutation Reauthenticate($password: String!) {
  reauthenticate(password: $password) {
    session { id authenticatedAt }
  }
}`,
      variables: { password: PASSWORD },
    },
    {
      name: 'CreateApiKey',
      about: 'A key for scripts; needs a fresh session.',
      query: `# A key for scripts. It is shown once,
# reads only what its scopes name, and
# never does anything FRESH.
mutation CreateApiKey($input: CreateApiKeyInput!) {
  createApiKey(input: $input) {
    key
    apiKey { id name scopes expiresAt }
  }
}`,
      variables: { input: { name: 'my script', scopes: ['account:read', 'credits:read'] } },
    },
    {
      name: 'RevokeApiKey',
      about: 'Ends a key at once.',
      query: `# Ends a key at once, on every instance.
mutation RevokeApiKey($id: ID!) {
  revokeApiKey(id: $id) { ok }
}`,
      variables: { id: '{{apiKeyId}}' },
    },
    {
      name: 'ChangePassword',
      about: 'Takes the current one; ends the other sessions.',
      query: `# Takes the current password and ends
# the other sessions.
mutation ChangePassword($input: ChangePasswordInput!) {
  changePassword(input: $input) {
    endedSessions
  }
}`,
      variables: { input: { currentPassword: PASSWORD, newPassword: 'nine rivers, one paper lantern' } },
    },
    ...SECOND_FACTOR,
    ...GOOGLE,
    ...BUYING,
    {
      name: 'ExportMyData',
      about: 'All that is held about me.',
      query: `# Everything that is held about you, as one
# document. Asks for a fresh sign-in.
query ExportMyData {
  exportMyData
}`,
    },
    {
      name: 'CreateDataExport',
      about: 'The same as a file, to its very end.',
      query: `# A file with everything, however much. It
# is made within a minute or two; a letter
# says when. Asks for a fresh sign-in.
mutation CreateDataExport {
  createDataExport {
    dataExport { id readyAt expiresAt }
  }
}`,
    },
    {
      name: 'MyDataExports',
      about: 'The files that are there.',
      query: `# The files you asked for, and whether
# they are ready.
query MyDataExports {
  dataExports { id createdAt readyAt sizeBytes expiresAt }
}`,
    },
    {
      name: 'CreateDataExportLink',
      about: 'Where a browser gets the file.',
      query: `# An address that gives the file to whoever
# opens it, for a minute.
mutation CreateDataExportLink($id: ID!) {
  createDataExportLink(id: $id) {
    url
    expiresAt
  }
}`,
      variables: { id: '{{exportId}}' },
    },
    {
      name: 'DeleteAccount',
      about: 'Leaves.',
      query: `# You leave: everything ends at once. For 30
# days the operators can bring you back.
mutation DeleteAccount($input: DeleteAccountInput) {
  deleteAccount(input: $input) {
    ok
    purgeAt
  }
}`,
      variables: { input: { reason: 'found something else' } },
    },
    {
      name: 'Logout',
      about: 'Ends this session.',
      query: `# Ends this session. Within a second its
# access token is refused everywhere.
mutation Logout {
  logout { ok }
}`,
    },
  ],
};

const SERVICE: Role = {
  name: 'Service',
  about: 'Another program of yours. Paste its key under Values.',
  headers: { 'X-API-Key': '{{serviceKey}}' },
  operations: [
    {
      name: 'ValidateToken',
      about: 'Is this token or API key good?',
      query: `# What a service asks on each of its own
# requests. A bad token is a normal
# answer, never an error.
query ValidateToken($token: String!) {
  validateToken(token: $token) {
    valid
    code
    kind
    expiresAt
    user {
      id
      username
      email
      emailVerified
    }
    plan { code }
    credits { balance available }
    limits {
      conversations {
        limit
        used
        remaining
        resetsAt
      }
    }
    scopes
    sessionId
  }
}`,
      variables: { token: '{{accessToken}}' },
    },
    {
      name: 'UserByEmail',
      about: 'Who has this address.',
      query: `# Who has this address.
query UserByEmail($email: EmailAddress!) {
  userByEmail(email: $email) {
    id
    username
    emailVerified
  }
}`,
      variables: { email: 'ada@example.com' },
    },
    {
      name: 'AddCredits',
      about: 'Grants credits.',
      query: `# Grants credits. The key is new at each
# run; write a fixed text instead and
# run twice to see a replay.
mutation AddCredits($input: AddCreditsInput!) {
  addCredits(input: $input) {
    transaction { id kind amount balanceAfter }
    account { balance held available }
    replayed
  }
}`,
      variables: { input: { userId: '{{userId}}', amount: 100, description: 'welcome', idempotencyKey: '{{newKey}}' } },
    },
    {
      name: 'UseCredits',
      about: 'Spends credits, never below zero.',
      query: `# Spends credits at once, never below
# zero (INSUFFICIENT_CREDITS).
mutation UseCredits($input: UseCreditsInput!) {
  useCredits(input: $input) {
    transaction { id kind amount balanceAfter }
    account { balance held available }
    replayed
  }
}`,
      variables: {
        input: {
          userId: '{{userId}}',
          amount: 3,
          description: 'chat',
          referenceType: 'message',
          referenceId: 'm1',
          idempotencyKey: '{{newKey}}',
        },
      },
    },
    {
      name: 'HoldCredits',
      about: 'Sets credits aside.',
      query: `# Sets credits aside before work whose
# price is not known yet. The balance
# stays; "available" goes down.
mutation HoldCredits($input: HoldCreditsInput!) {
  holdCredits(input: $input) {
    hold { id amount status expiresAt }
    account { available }
    replayed
  }
}`,
      variables: { input: { userId: '{{userId}}', amount: 5, ttlSeconds: 900, idempotencyKey: '{{newKey}}' } },
    },
    {
      name: 'CaptureCredits',
      about: 'Takes what the work cost; the rest returns.',
      query: `# Takes what the work cost out of the
# hold; the rest returns.
mutation CaptureCredits($input: CaptureCreditsInput!) {
  captureCredits(input: $input) {
    hold { status }
    transaction { amount }
    account { balance held available }
  }
}`,
      variables: { input: { holdId: '{{holdId}}', amount: 4, idempotencyKey: '{{newKey}}' } },
    },
    {
      name: 'ReleaseCredits',
      about: 'Gives a hold back whole.',
      query: `# Gives a hold back whole.
mutation ReleaseCredits($input: ReleaseCreditsInput!) {
  releaseCredits(input: $input) {
    hold { status }
    account { balance held available }
  }
}`,
      variables: { input: { holdId: '{{holdId}}', idempotencyKey: '{{newKey}}' } },
    },
    {
      name: 'ConsumeConversation',
      about: 'Takes one from the daily limit.',
      query: `# Takes one conversation from today's
# limit, if there is one left.
mutation ConsumeConversation($input: ConsumeConversationInput!) {
  consumeConversation(input: $input) {
    allowed
    remaining
    resetsAt
  }
}`,
      variables: { input: { userId: '{{userId}}' } },
    },
    {
      name: 'LogMessages',
      about: 'Records what was said.',
      query: `# Records up to 1,000 exchanges with models.
# They are committed when the answer comes.
mutation LogMessages($input: LogMessagesInput!) {
  logMessages(input: $input) {
    accepted
    rejected { index code }
    replayed
  }
}`,
      variables: {
        input: {
          batch: [{ userId: '{{userId}}', model: 'small-1', messages: [{ role: 'user', content: 'Hello!' }] }],
          idempotencyKey: '{{newKey}}',
        },
      },
    },
    {
      name: 'CreditBalance',
      about: 'What a person has.',
      query: `# What a person has.
query CreditBalance($userId: ID!) {
  creditBalance(userId: $userId) {
    balance
    held
    available
  }
}`,
      variables: { userId: '{{userId}}' },
    },
    {
      name: 'CreditTransactions',
      about: 'The account, row by row, newest first.',
      query: `# The account, row by row, newest first.
# Rows are never changed.
query CreditTransactions($userId: ID!, $after: String) {
  creditTransactions(
    userId: $userId
    first: 20
    after: $after
  ) {
    nodes {
      id
      kind
      amount
      balanceAfter
      description
      createdAt
    }
    pageInfo { hasNextPage endCursor }
    totalCount
  }
}`,
      variables: { userId: '{{userId}}', after: null },
    },
    ...SELLING,
  ],
};

const OPERATOR: Role = {
  name: 'Operator',
  about: 'Run AdminLogin with the name and password printed at the first start.',
  headers: { Authorization: 'Bearer {{adminAccessToken}}' },
  operations: [
    {
      name: 'AdminLogin',
      about: 'Signs an admin in.',
      isPublic: true,
      query: `# Signs an admin in. Put in the password
# that was printed at the first start.
mutation AdminLogin($input: AdminLoginInput!) {
  adminLogin(input: $input) {
    __typename
    ... on AdminAuthPayload {
      accessToken
      refreshToken
      admin { id permissions }
    }
    ... on SecondFactorRequired { challenge }
  }
}`,
      variables: { input: { identifier: 'admin', password: '' } },
    },
    {
      name: 'AdminMe',
      about: 'Who I am and what I may.',
      query: `# Who is signed in, and what they may
# do.
query AdminMe {
  adminMe { id username permissions }
}`,
    },
    {
      name: 'Users',
      about: 'Finds people.',
      query: `# Finds people by user name or email
# address.
query Users($filter: UserFilter, $after: String) {
  users(first: 20, filter: $filter, after: $after) {
    nodes { id username status }
    totalCount
    pageInfo { endCursor }
  }
}`,
      variables: { filter: { search: 'ada' }, after: null },
    },
    {
      name: 'User',
      about: 'One person and what belongs to them.',
      query: `# One person, with what belongs to them.
query User($id: ID!) {
  user(id: $id) {
    id
    username
    email
    emailVerified
    status
    createdAt
    lastLoginAt
    creditAccount { balance held available }
    sessions(first: 5) {
      nodes { id createdAt lastUsedAt }
      totalCount
    }
  }
}`,
      variables: { id: '{{userId}}' },
    },
    {
      name: 'SuspendUser',
      about: 'Refused everywhere within a second.',
      query: `# Within a second every token and key of
# the person is refused, on every
# instance. null: until unsuspended.
mutation SuspendUser($input: SuspendUserInput!) {
  suspendUser(input: $input) {
    user { id status }
  }
}`,
      variables: { input: { userId: '{{userId}}', reason: 'asked by the owner', until: null } },
    },
    {
      name: 'UnsuspendUser',
      about: 'Lets the person back in.',
      query: `# Lets the person back in.
mutation UnsuspendUser($input: UnsuspendUserInput!) {
  unsuspendUser(input: $input) {
    user { id status }
  }
}`,
      variables: { input: { userId: '{{userId}}', reason: 'asked by the owner' } },
    },
    {
      name: 'MessageLogs',
      about: 'What a person and a model wrote.',
      query: `# What was logged of a person. They see who
# looked, and why.
query MessageLogs($filter: MessageLogFilter!, $reason: String!) {
  messageLogs(filter: $filter, reason: $reason, first: 10) {
    nodes { model occurredAt messages { role content } }
    totalCount
  }
}`,
      variables: { filter: { userId: '{{userId}}' }, reason: 'asked by the owner' },
    },
    {
      name: 'SetUserLimits',
      about: 'Daily limits of their own.',
      query: `# Daily limits of a person; null gives back
# those of the plan.
mutation SetUserLimits($input: SetUserLimitsInput!) {
  setUserLimits(input: $input) {
    user { id usage { conversations { limit } messages { limit } } }
  }
}`,
      variables: { input: { userId: '{{userId}}', conversationsPerDay: 100, messagesPerDay: null } },
    },
    {
      name: 'DeleteUser',
      about: 'Takes a person out.',
      query: `# Takes a person out. For 30 days they can
# be brought back.
mutation DeleteUser($input: DeleteUserInput!) {
  deleteUser(input: $input) {
    deletedUser { userId username purgeAt }
  }
}`,
      variables: { input: { userId: '{{userId}}', reason: 'asked by the owner' } },
    },
    {
      name: 'RestoreUser',
      about: 'Brings a person back.',
      query: `# Brings a deleted person back; under new
# names if somebody took theirs.
mutation RestoreUser($input: RestoreUserInput!) {
  restoreUser(input: $input) {
    user { id username status }
  }
}`,
      variables: { input: { userId: '{{userId}}' } },
    },
    {
      name: 'DeletedUsers',
      about: 'Who left.',
      query: `# Who left, the latest first.
query DeletedUsers {
  deletedUsers(first: 10) {
    nodes { userId username deletedAt deletedByKind reason purgeAt erasedAt }
    totalCount
  }
}`,
    },
    {
      name: 'ImpersonateUser',
      about: 'See what a person sees, for 15 minutes.',
      query: `# See what a person sees. They are told
# by mail and can end it. Read-only unless
# readOnly is false.
mutation ImpersonateUser($input: ImpersonateUserInput!) {
  impersonateUser(input: $input) {
    accessToken
    accessTokenExpiresAt
    user { id username }
  }
}`,
      variables: { input: { userId: '{{userId}}', reason: 'asked by the owner' } },
    },
    {
      name: 'CreateService',
      about: 'A key for another program, with scopes.',
      query: `# Another program of yours, with the
# scopes that it needs. Its key is shown
# once.
mutation CreateService($input: CreateServiceInput!) {
  createService(input: $input) {
    key
    service { id name scopes }
  }
}`,
      variables: { input: { name: 'chat', scopes: ['tokens:validate', 'credits:read', 'credits:use'] } },
    },
    {
      name: 'RotateServiceKey',
      about: 'A new key; the old one works a while.',
      query: `# A new key for a service. The old one
# goes on working for the overlap.
mutation RotateServiceKey($input: RotateServiceKeyInput!) {
  rotateServiceKey(input: $input) { key }
}`,
      variables: { input: { serviceId: '{{serviceId}}', overlap: 'ONE_HOUR' } },
    },
    {
      name: 'CreateStaff',
      about: 'Invites a staff member.',
      query: `# Invites a staff member. 1 looks,
# 2 helps, 3 decides.
mutation CreateStaff($input: CreateStaffInput!) {
  createStaff(input: $input) {
    staff { id username level status }
  }
}`,
      variables: { input: { username: 'joan', email: 'joan@example.com', level: 2 } },
    },
    {
      name: 'CreateAdmin',
      about: 'A colleague, who sets the password.',
      query: `# A colleague. The letter invites them to
# set their own password. You can grant
# only what you hold yourself.
mutation CreateAdmin($input: CreateAdminInput!) {
  createAdmin(input: $input) {
    admin { id username permissions }
  }
}`,
      variables: { input: { username: 'grace', email: 'grace@example.com', permissions: ['users:read'] } },
    },
    {
      name: 'RemoveUserSecondFactor',
      about: 'For who lost app and backup codes.',
      query: `# For somebody who lost phone and backup
# codes. Their sessions end, and a letter
# says why.
mutation RemoveUserSecondFactor($userId: ID!, $reason: String!) {
  removeUserSecondFactor(userId: $userId, reason: $reason) {
    user { id hasTotp }
  }
}`,
      variables: { userId: '{{userId}}', reason: 'phone lost, identity checked by video' },
    },
    {
      name: 'CreateUser',
      about: 'A person, who gets an invitation.',
      query: `# A new person, who sets a password with
# the invitation that is mailed.
mutation CreateUser($input: CreateUserInput!) {
  createUser(input: $input) {
    user { id username email emailVerified }
  }
}`,
      variables: { input: { username: 'mary', email: 'mary@example.com' } },
    },
    {
      name: 'CreateProduct',
      about: 'Something to buy.',
      query: `# Puts something new on sale.
mutation CreateProduct($input: CreateProductInput!) {
  createProduct(input: $input) {
    product { id code prices { currency amountMinor interval } }
  }
}`,
      variables: {
        input: {
          code: 'credits-100',
          name: 'A hundred credits',
          kind: 'CREDIT_PACK',
          creditsGranted: 100,
          prices: [{ currency: 'EUR', amountMinor: 999, interval: 'ONCE' }],
        },
      },
    },
    {
      name: 'CreatePlan',
      about: 'What people may use.',
      query: `# A new plan; null means no limit.
mutation CreatePlan($input: CreatePlanInput!) {
  createPlan(input: $input) {
    plan { code name conversationsPerDay messagesPerDay monthlyCredits }
  }
}`,
      variables: { input: { code: 'pro', name: 'Pro', conversationsPerDay: 200, monthlyCredits: 1000 } },
    },
    {
      name: 'AddIpRule',
      about: 'Who may come from where.',
      query: `# Counts at once, everywhere. Refused when it
# would shut you out.
mutation AddIpRule($input: AddIpRuleInput!) {
  addIpRule(input: $input) {
    ipRule { id action scope cidr note }
  }
}`,
      variables: { input: { action: 'DENY', scope: 'EVERYTHING', cidr: '203.0.113.0/24', note: 'an example' } },
    },
    {
      name: 'RotateSigningKey',
      about: 'The next key signs from now on.',
      query: `# Tokens that are out stay good. With
# immediately: true they are refused at once.
mutation RotateSigningKey($input: RotateSigningKeyInput) {
  rotateSigningKey(input: $input) {
    current { kid state createdAt }
    next { kid state createdAt }
  }
}`,
      variables: { input: { immediately: false } },
    },
    {
      name: 'LedgerHealth',
      about: 'Proves the books.',
      query: `# Proves that balances are the sums of
# their rows, that nothing is missing
# and nothing negative.
query LedgerHealth {
  ledgerHealth {
    ok
    accounts
    transactions
    brokenAccounts
    checkedAt
  }
}`,
    },
    {
      name: 'Statistics',
      about: 'What happened, day by day.',
      query: `# Every UTC day between the two, at most
# 366 of them.
query Statistics($from: DateTime!, $to: DateTime!) {
  statistics(from: $from, to: $to) {
    days {
      day
      signUps
      activeUsers
      signIns
      failedSignIns
      creditsGranted
      creditsUsed
    }
  }
}`,
      variables: { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' },
    },
    {
      name: 'SystemHealth',
      about: 'How this instance is doing.',
      query: `# How the instance that answers is doing.
query SystemHealth {
  systemHealth {
    problems
    version
    database { kind latencyMs waiting }
    memory { rssBytes limitBytes level }
    eventLoop { p99Ms }
    letters { queued dead oldestSeconds }
    events { queued failed oldestSeconds disabledEndpoints }
  }
}`,
    },
    ...LETTERS,
    ...WEBHOOKS,
    ...BOOKS,
  ],
};

export const ROLES: readonly Role[] = [NEW_PERSON, PERSON, SERVICE, STAFF, OPERATOR];
