// First of all imports: type-graphql's decorators look for it when a class is defined.
import 'reflect-metadata';
import { printSchemaWithDirectives } from '@graphql-tools/utils';
import {
  DirectiveLocation,
  GraphQLDirective,
  GraphQLNonNull,
  GraphQLSchema,
  GraphQLString,
  isObjectType,
  lexicographicSortSchema,
} from 'graphql';
import { buildSchemaSync, getMetadataStorage, type NonEmptyArray } from 'type-graphql';
import { AccountsResolver } from '../modules/accounts/accounts.resolver.js';
import { ApiKeysResolver } from '../modules/accounts/api-keys.resolver.js';
import { CredentialsResolver } from '../modules/accounts/credentials.resolver.js';
import { ServerResolver } from '../modules/accounts/server.resolver.js';
import { AdminResolver } from '../modules/admin/admin.resolver.js';
import { ImpersonationResolver } from '../modules/admin/impersonation.resolver.js';
import { UserChangesResolver } from '../modules/admin/user-changes.resolver.js';
import { UserLimitsResolver } from '../modules/admin/user-limits.resolver.js';
import { UsersResolver } from '../modules/admin/users.resolver.js';
import { AuditResolver } from '../modules/audit/audit.resolver.js';
import { AuthResolver } from '../modules/auth/auth.resolver.js';
import { SessionsResolver, UserSessionsResolver } from '../modules/auth/sessions.resolver.js';
import { SigningKeysResolver } from '../modules/auth/signing-keys.resolver.js';
import { BillingResolver } from '../modules/billing/billing.resolver.js';
import { MyBillingResolver } from '../modules/billing/my-billing.resolver.js';
import { PlanResolver, ProductResolver, UserPlanResolver } from '../modules/catalog/catalog.resolver.js';
import { CreditAccountResolver, CreditsResolver, UserCreditsResolver } from '../modules/credits/credits.resolver.js';
import { FilesResolver } from '../modules/files/files.resolver.js';
import { LettersResolver } from '../modules/letters/letters.resolver.js';
import { LogsResolver } from '../modules/logs/logs.resolver.js';
import { MessagesResolver, UserMessagesResolver } from '../modules/messages/messages.resolver.js';
import { NetworkResolver } from '../modules/network/network.resolver.js';
import { OpenidResolver } from '../modules/openid/openid.resolver.js';
import { PaymentsResolver } from '../modules/payments/payments.resolver.js';
import { DataExportsResolver } from '../modules/privacy/data-exports.resolver.js';
import { PrivacyResolver } from '../modules/privacy/privacy.resolver.js';
import { SecondFactorRemovalResolver } from '../modules/second-factor/removal.resolver.js';
import {
  AdminSecondFactorResolver,
  SecondFactorResolver,
  StaffSecondFactorResolver,
} from '../modules/second-factor/second-factor.resolver.js';
import { ServicesResolver } from '../modules/services/services.resolver.js';
import { TokenValidationResolver, UserLookupResolver } from '../modules/services/token-validation.resolver.js';
import { StaffResolver } from '../modules/staff/staff.resolver.js';
import { SupportResolver, UserNotesResolver } from '../modules/staff/support.resolver.js';
import { SystemResolver } from '../modules/system/system.resolver.js';
import { UsageResolver, UserUsageResolver } from '../modules/usage/usage.resolver.js';
import { WebhooksResolver } from '../modules/webhooks/webhooks.resolver.js';
import { applyAccess, levelOf } from './access.js';
import { measureRootFields } from './measure.js';

const RESOLVERS: NonEmptyArray<new () => object> = [
  AccountsResolver,
  AuditResolver,
  FilesResolver,
  LogsResolver,
  LettersResolver,
  ApiKeysResolver,
  AuthResolver,
  CredentialsResolver,
  ServerResolver,
  ImpersonationResolver,
  SessionsResolver,
  UserSessionsResolver,
  AdminResolver,
  BillingResolver,
  MyBillingResolver,
  PaymentsResolver,
  CreditAccountResolver,
  CreditsResolver,
  UserCreditsResolver,
  NetworkResolver,
  PlanResolver,
  ProductResolver,
  ServicesResolver,
  SigningKeysResolver,
  UserChangesResolver,
  SystemResolver,
  TokenValidationResolver,
  UsageResolver,
  UserLookupResolver,
  UserPlanResolver,
  SecondFactorResolver,
  AdminSecondFactorResolver,
  StaffSecondFactorResolver,
  SecondFactorRemovalResolver,
  StaffResolver,
  SupportResolver,
  UserNotesResolver,
  UsersResolver,
  UserUsageResolver,
  MessagesResolver,
  UserMessagesResolver,
  DataExportsResolver,
  PrivacyResolver,
  OpenidResolver,
  UserLimitsResolver,
  WebhooksResolver,
];

const accessDirective = new GraphQLDirective({
  name: 'access',
  description: 'Who may use the field. Checked on every request; see docs/SECURITY.md for the levels.',
  locations: [DirectiveLocation.FIELD_DEFINITION],
  args: { level: { type: new GraphQLNonNull(GraphQLString) } },
});

/** Writes each field's level where readers of the schema look: a directive in the print, a line in the description. */
function annotate(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      const level = levelOf(type.name, field.name);
      if (!level) continue;
      field.extensions = { ...field.extensions, directives: { access: { level } } };
      field.description = [field.description, `Level: ${level}`].filter(Boolean).join('\n\n');
    }
  }
  const config = schema.toConfig();
  return new GraphQLSchema({ ...config, directives: [...config.directives, accessDirective] });
}

function buildSchema(): GraphQLSchema {
  // `validate: false`: formats live in scalars, and services check the rest (core/input). `skipCheck`: whoever executes
  // validates the finished schema; type-graphql would ask this one for all its types, which takes a tenth of a start.
  const plain = buildSchemaSync({ resolvers: RESOLVERS, validate: false, skipCheck: true });
  // Or each object within an input would be made anew as an instance of its class, at every call: a tenth of what a
  // thousand logged exchanges cost. The classes have no methods, and nothing else asks for them once the schema is there.
  getMetadataStorage().inputTypes = [];
  return measureRootFields(applyAccess(annotate(plain)));
}

let made: GraphQLSchema | undefined;

/**
 * The whole schema with every guard on. Made once: it belongs to no `App`, and tests start hundreds of servers in one
 * process. Throws when the access page names a field that is not there.
 */
export function createSchema(): GraphQLSchema {
  made ??= buildSchema();
  return made;
}

/** What `schema.graphql` holds. */
export function printedSchema(schema: GraphQLSchema): string {
  return `${printSchemaWithDirectives(lexicographicSortSchema(schema))}\n`;
}
