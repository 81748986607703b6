// The security card: which level each field asks for. What is not on this page is refused: graphql-shield's own default is
// to allow, so both roots end in a refusal. What each level means stands in levels.ts.
import { createRequire } from 'node:module';
import type { GraphQLSchema } from 'graphql';
import type { applyMiddleware as ApplyMiddleware } from 'graphql-middleware';
import type { rule as Rule, shield as Shield } from 'graphql-shield';
import type { Context, Viewer } from '../core/context.js';
import { AppError, type ErrorCode } from '../core/errors.js';
import {
  ANY_ADMIN,
  ANY_STAFF,
  AUTHENTICATED_ALL_KINDS,
  admin,
  either,
  FRESH,
  FRESH_ALL_KINDS,
  type Level,
  operatorOr,
  orApiKey,
  ownerOr,
  PUBLIC,
  REFUSED,
  service,
  staff,
  VERIFIED,
  VERIFIED_ALL_KINDS,
} from './levels.js';
import { takeFieldLimit } from './limits.js';
import { checkText } from './text-check.js';

// Both by require: graphql-shield's ES build does not load on Node 23 or newer, and the two must share one copy.
const require = createRequire(import.meta.url);
const { rule, shield } = require('graphql-shield') as { rule: typeof Rule; shield: typeof Shield };
const { applyMiddleware } = require('graphql-middleware') as { applyMiddleware: typeof ApplyMiddleware };

const OWNER_OR_STAFF = ownerOr(staff(2, 'users:read'));

export const ACCESS = {
  Query: {
    // accounts
    serviceInfo: PUBLIC,
    passwordPolicy: PUBLIC,
    // what is sold
    plans: PUBLIC,
    products: PUBLIC,
    product: PUBLIC,
    currentSession: AUTHENTICATED_ALL_KINDS,
    me: orApiKey(VERIFIED, 'account:read'),
    exportMyData: FRESH,
    dataExports: VERIFIED,
    // credits
    creditBalance: service('credits:read'),
    creditTransactions: service('credits:read'),
    ledgerHealth: admin('billing:read'),
    billingReconciliation: admin('billing:read'),
    payments: admin('billing:read'),
    // other services
    validateToken: service('tokens:validate'),
    userEmail: service('users:read'),
    userByEmail: service('users:read'),
    usage: service('usage:read'),
    subscription: service('billing:read'),
    paymentMethods: service('billing:read'),
    // operators
    users: staff(1, 'users:read'),
    user: staff(1, 'users:read'),
    messageLogs: staff(2, 'messages:read'),
    deletedUsers: admin('users:delete'),
    staffMe: ANY_STAFF,
    adminMe: ANY_ADMIN,
    staffMembers: admin('staff:manage'),
    admins: admin('admins:manage'),
    services: admin('services:manage'),
    ipRules: admin('security:manage'),
    webhookEndpoints: admin('webhooks:manage'),
    webhookDeliveries: admin('webhooks:manage'),
    signingKeys: admin('security:manage'),
    statistics: admin('system:read'),
    systemHealth: admin('system:read'),
    auditLog: admin('audit:read'),
    verifyAuditLog: admin('audit:read'),
    logs: admin('system:read'),
    requestTrace: admin('system:read'),
    emailTemplates: admin('email:manage'),
    emailDeliveries: admin('email:manage'),
  },
  Mutation: {
    // accounts
    register: PUBLIC,
    login: PUBLIC,
    completeSecondFactor: PUBLIC, // the challenge is the credential
    verifyEmail: PUBLIC,
    resendVerificationEmail: PUBLIC,
    refreshToken: PUBLIC, // the refresh token is the credential
    logout: AUTHENTICATED_ALL_KINDS,
    revokeSession: AUTHENTICATED_ALL_KINDS,
    revokeOtherSessions: AUTHENTICATED_ALL_KINDS,
    reauthenticate: AUTHENTICATED_ALL_KINDS,
    requestPasswordReset: PUBLIC,
    resetPassword: PUBLIC,
    acceptInvitation: PUBLIC,
    changePassword: VERIFIED_ALL_KINDS,
    requestEmailChange: VERIFIED,
    confirmEmailChange: PUBLIC,
    undoEmailChange: PUBLIC,
    createRecoveryPhrase: FRESH,
    startGoogleSignIn: PUBLIC,
    completeGoogleSignIn: PUBLIC, // what came back from the provider is the credential
    startGoogleLink: FRESH,
    linkGoogle: FRESH,
    unlinkGoogle: FRESH,
    startTotpEnrollment: FRESH_ALL_KINDS,
    confirmTotpEnrollment: FRESH_ALL_KINDS,
    disableTotp: FRESH_ALL_KINDS,
    regenerateBackupCodes: FRESH_ALL_KINDS,
    recoverAccount: PUBLIC,
    updateProfile: VERIFIED,
    createAvatarUpload: VERIFIED,
    createDataExport: FRESH,
    createDataExportLink: FRESH,
    deleteAccount: FRESH,
    createApiKey: FRESH,
    rotateApiKey: FRESH,
    revokeApiKey: FRESH,
    // other services
    consumeConversation: service('usage:write'),
    logMessages: service('messages:write'),
    // billing
    startCheckout: VERIFIED,
    startSubscription: VERIFIED,
    changeMySubscription: VERIFIED,
    cancelMySubscription: VERIFIED,
    resumeMySubscription: VERIFIED,
    createMySetupIntent: VERIFIED,
    removePaymentMethod: VERIFIED,
    createBillingPortalSession: VERIFIED,
    createCheckoutSession: service('billing:write'),
    createSetupIntent: service('billing:write'),
    createSubscription: service('billing:write'),
    changeSubscription: service('billing:write'),
    cancelSubscription: service('billing:write'),
    // credits
    addCredits: service('credits:grant'),
    refundCredits: service('credits:grant'),
    useCredits: service('credits:use'),
    holdCredits: service('credits:use'),
    captureCredits: service('credits:use'),
    releaseCredits: service('credits:use'),
    // operators
    staffLogin: PUBLIC,
    adminLogin: PUBLIC,
    impersonateUser: admin('users:impersonate'),
    removeUserSecondFactor: admin('users:write'),
    removeStaffSecondFactor: admin('staff:manage'),
    removeAdminSecondFactor: admin('admins:manage'),
    resendUserVerification: staff(1, 'users:write'),
    sendUserPasswordReset: staff(1, 'users:write'),
    addUserNote: staff(1, 'users:write'),
    unlockUser: staff(2, 'users:write'),
    revokeUserSessions: staff(2, 'users:write'), // of many at once: admins only
    adjustCredits: staff(3, 'credits:adjust'),
    suspendUser: staff(3, 'users:write'),
    unsuspendUser: staff(3, 'users:write'),
    createUser: admin('users:write'),
    updateUser: admin('users:write'),
    setUserPlan: admin('users:write'),
    setUserLimits: admin('users:write'),
    deleteUser: admin('users:delete'),
    restoreUser: admin('users:delete'),
    eraseUser: admin('users:delete'),
    createStaff: admin('staff:manage'),
    updateStaff: admin('staff:manage'),
    disableStaff: admin('staff:manage'),
    createAdmin: admin('admins:manage'),
    updateAdmin: admin('admins:manage'),
    disableAdmin: admin('admins:manage'),
    createService: admin('services:manage'),
    rotateServiceKey: admin('services:manage'),
    updateService: admin('services:manage'),
    disableService: admin('services:manage'),
    createProduct: admin('catalog:manage'),
    updateProduct: admin('catalog:manage'),
    archiveProduct: admin('catalog:manage'),
    createPlan: admin('catalog:manage'),
    updatePlan: admin('catalog:manage'),
    addIpRule: admin('security:manage'),
    removeIpRule: admin('security:manage'),
    createWebhookEndpoint: admin('webhooks:manage'),
    updateWebhookEndpoint: admin('webhooks:manage'),
    deleteWebhookEndpoint: admin('webhooks:manage'),
    rotateWebhookSecret: admin('webhooks:manage'),
    redeliverWebhook: admin('webhooks:manage'),
    rotateSigningKey: admin('security:manage'),
    rotateDataKey: admin('security:manage'),
    previewEmailTemplate: admin('email:manage'),
    sendTestEmail: admin('email:manage'),
    retryEmailDelivery: admin('email:manage'),
  },
  User: {
    sessions: OWNER_OR_STAFF,
    apiKeys: OWNER_OR_STAFF,
    linkedAccounts: OWNER_OR_STAFF,
    hasPassword: OWNER_OR_STAFF,
    hasTotp: OWNER_OR_STAFF,
    hasRecoveryPhrase: OWNER_OR_STAFF,
    securityHistory: OWNER_OR_STAFF,
    messages: OWNER_OR_STAFF,
    notes: staff(1, 'users:write'), // what operators tell each other is not for the person
    usage: ownerOr(staff(2, 'users:read'), 'usage:read'),
    creditAccount: ownerOr(staff(2, 'users:read'), 'credits:read'),
    subscription: OWNER_OR_STAFF,
    paymentMethods: OWNER_OR_STAFF,
  },
  Admin: { hasTotp: operatorOr('admin', admin('admins:manage')) },
  Staff: { hasTotp: operatorOr('staff', admin('staff:manage')) },
  CreditAccount: {
    transactions: ownerOr(either(service('credits:read'), staff(2, 'users:read')), 'credits:read'),
  },
} satisfies Record<string, Record<string, Level>>;

/** Counted by the tighter limit, and allowed once in an operation: the fields that guess, pay or change credentials. */
export const SIGN_IN_FAMILY: ReadonlySet<string> = new Set([
  'register',
  'login',
  'verifyEmail',
  'resendVerificationEmail',
  'reauthenticate',
  'requestPasswordReset',
  'resetPassword',
  'acceptInvitation',
  'changePassword',
  'requestEmailChange',
  'confirmEmailChange',
  'undoEmailChange',
  'createRecoveryPhrase',
  'recoverAccount',
  'staffLogin',
  'adminLogin',
  'completeSecondFactor',
  'startGoogleSignIn',
  'completeGoogleSignIn',
  'startGoogleLink',
  'linkGoogle',
  'unlinkGoogle',
  'startTotpEnrollment',
  'confirmTotpEnrollment',
  'disableTotp',
  'regenerateBackupCodes',
]);

/** Further fields that may stand once in an operation. */
const ONCE: readonly string[] = [
  'refreshToken',
  'addCredits',
  'refundCredits',
  'useCredits',
  'holdCredits',
  'captureCredits',
  'releaseCredits',
  'adjustCredits',
  'sendTestEmail',
  'startCheckout',
  'startSubscription',
  'changeMySubscription',
  'createMySetupIntent',
  'createCheckoutSession',
  'createSubscription',
  'changeSubscription',
  'createSetupIntent',
];

export const SENSITIVE_FIELDS: ReadonlySet<string> = new Set([...SIGN_IN_FAMILY, ...ONCE]);

/** Sign-in of admins and staff: refused by address before a password is looked at, so that none can be tried. */
const OPERATOR_DOORS: ReadonlySet<string> = new Set(['adminLogin', 'staffLogin']);

/** Takes any text whatever and answers normally: nothing of it is kept. */
const ANY_TEXT = new Set(['validateToken']);

/**
 * All that an admin who acts in a person's name may change (SECURITY A3), and only when the impersonation is not
 * read-only. A mutation that is not here is refused to them, so that a new one is until somebody decides otherwise:
 * nothing that touches password, address, keys, second factor, sessions, leaving or money belongs on this list.
 */
const IMPERSONATED_WRITES: ReadonlySet<string> = new Set(['updateProfile']);

/** Ending it is always allowed. */
function isRefusedToImpersonators(viewer: Viewer, field: string): boolean {
  if (viewer.kind !== 'user' || viewer.impersonatedBy === null || field === 'logout') return false;
  return viewer.readOnly || !IMPERSONATED_WRITES.has(field);
}

const ROOTS = new Set(['Query', 'Mutation']);

function refusalOf(code: ErrorCode, viewer: Viewer): AppError {
  if (code !== 'FORBIDDEN' || viewer.kind !== 'admin' || !viewer.mustEnroll) return new AppError(code);
  return new AppError(code, {
    message: 'Enrol a second factor first.',
    extensions: { reason: 'SECOND_FACTOR_NOT_ENROLLED' },
  });
}

/** One shield rule for one field: the limit first (a refused caller is counted too), then the level, then the text. */
function guard(typeName: string, fieldName: string, level: Level) {
  const isRoot = ROOTS.has(typeName);
  const family = SIGN_IN_FAMILY.has(fieldName) ? 'auth' : 'default';
  return rule(`${typeName}.${fieldName}`, { cache: 'no_cache' })(
    async (parent: unknown, args: Record<string, unknown>, context: Context) => {
      if (isRoot) {
        const limited = await takeFieldLimit(context, { field: fieldName, family });
        if (limited) return limited;
      }
      if (typeName === 'Mutation' && isRefusedToImpersonators(context.viewer, fieldName)) {
        return new AppError('FORBIDDEN', { message: 'Not in the name of somebody else.' });
      }
      if (OPERATOR_DOORS.has(fieldName) && !context.operatorsAllowed) return new AppError('IP_NOT_ALLOWED');
      const code = level.check(context.viewer, context.app.now(), parent);
      if (code) return refusalOf(code, context.viewer);
      return ANY_TEXT.has(fieldName) ? true : (checkText(args) ?? true);
    },
  );
}

/** The schema with its guards on: every root field, and every field that this page names. Nothing else is wrapped. */
export function applyAccess(schema: GraphQLSchema): GraphQLSchema {
  const page: Record<string, Record<string, Level>> = ACCESS;
  const tree: Record<string, Record<string, ReturnType<typeof guard>>> = {};
  for (const [typeName, levels] of Object.entries(page)) {
    const guards: Record<string, ReturnType<typeof guard>> = {};
    for (const [fieldName, level] of Object.entries(levels)) guards[fieldName] = guard(typeName, fieldName, level);
    if (ROOTS.has(typeName)) guards['*'] = guard(typeName, '*', REFUSED);
    tree[typeName] = guards;
  }
  const everything = shield(tree, {
    allowExternalErrors: true,
    fallbackRule: guard('*', '*', REFUSED),
    fallbackError: new AppError('FORBIDDEN'),
  }).generate(schema) as Record<string, Record<string, never>>;
  // Shield wraps every field of every type, which makes lists several times slower: what is not on the page (of a
  // type other than the roots) carries no level and needs no wrapper.
  const wrapped: Record<string, Record<string, never>> = {};
  for (const [typeName, fields] of Object.entries(everything)) {
    const levels = page[typeName];
    if (!levels) continue;
    wrapped[typeName] = Object.fromEntries(
      Object.entries(fields).filter(([name]) => ROOTS.has(typeName) || name in levels),
    );
  }
  return applyMiddleware(schema, wrapped);
}

/** The level of a field as printed, if it has one of its own. */
export function levelOf(typeName: string, fieldName: string): string | undefined {
  const page: Record<string, Record<string, Level>> = ACCESS;
  return page[typeName]?.[fieldName]?.name;
}
