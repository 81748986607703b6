import {
  type GraphQLInputType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
} from 'graphql';

/** Ids as the examples have them. `tests/docs` puts those of real people, services and operators in their place. */
export const SAMPLE_IDS = {
  userId: '01890000-0000-7000-8000-000000000001',
  serviceId: '01890000-0000-7000-8000-000000000002',
  staffId: '01890000-0000-7000-8000-000000000003',
  adminId: '01890000-0000-7000-8000-000000000004',
  other: '01890000-0000-7000-8000-000000000009',
} as const;

const PASSWORD = 'paper lanterns over 9 quiet rivers';
const TOKEN = 'eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.e30.c2lnbmF0dXJl';

/** By the name of the argument, where its type alone does not say what is sensible. */
const BY_NAME: Readonly<Record<string, unknown>> = {
  ...SAMPLE_IDS,
  accessToken: TOKEN,
  code: '123456',
  displayName: 'Ada Lovelace',
  first: 20,
  idempotencyKey: 'order-4711',
  identifier: 'ada',
  level: 2,
  name: 'Invoices',
  newEmail: 'ada@new.example.com',
  newPassword: 'brass kettle hums 41 at noon',
  password: PASSWORD,
  permissions: ['users:read', 'users:write'],
  phrase: 'abandon ability able about above absent absorb abstract absurd abuse access accident',
  planCode: 'free',
  reason: 'Asked for by mail.',
  requestId: '5f0c6a52-0c3c-4d0f-9f2e-3a1f6f0f7c11',
  token: TOKEN,
};

/** Where one name means different things. */
const BY_PATH: Readonly<Record<string, unknown>> = {
  'product.code': 'credits-100',
  'updatePlan.input.code': 'free',
  'updatePlan.input.name': 'Free',
  'updateProduct.input.name': 'A hundred credits',
};

/** For the `{{names}}` that the playground fills in by itself. */
const BY_PLACEHOLDER: Readonly<Record<string, string>> = {
  accessToken: TOKEN,
  newKey: 'order-4711',
  userId: SAMPLE_IDS.userId,
  serviceId: SAMPLE_IDS.serviceId,
};

/** The same value with every `{{name}}` of the playground replaced, and what it leaves for the reader to type filled in. */
export function filledIn<T>(value: T): T {
  const text = JSON.stringify(value).replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    return BY_PLACEHOLDER[name] ?? (/Id$/.test(name) ? SAMPLE_IDS.other : TOKEN);
  });
  return JSON.parse(text, (key, filled: unknown) => (filled === '' && key in BY_NAME ? BY_NAME[key] : filled)) as T;
}

const BY_TYPE: Readonly<Record<string, unknown>> = {
  Boolean: true,
  DateTime: '2026-01-31T12:00:00.000Z',
  EmailAddress: 'ada@example.com',
  Float: 1,
  ID: SAMPLE_IDS.other,
  Int: 1,
  JSONObject: {},
  SafeInt: 1,
  String: 'text',
};

export interface Place {
  readonly name: string;
  readonly type: GraphQLInputType;
  /** `updatePlan.input.code` */
  readonly path: string;
}

/** A sensible value: all that is required, and of an input that requires nothing but ids, its first other field. */
export function sampleOf({ name, type, path }: Place): unknown {
  const bare = getNullableType(type);
  const known = BY_PATH[path] ?? BY_NAME[name];
  if (isListType(bare)) return known ?? [sampleOf({ name, type: bare.ofType, path })];
  if (isEnumType(bare)) return bare.getValues()[0]?.name;
  if (!isInputObjectType(bare)) return known ?? BY_TYPE[bare.name];
  const fields = Object.values(bare.getFields());
  const needed = fields.filter((field) => isNonNullType(field.type));
  const isOnlyNaming = needed.every((field) => /(^|[a-z])(id|code)$/i.test(field.name));
  const chosen = isOnlyNaming
    ? [...needed, ...fields.filter((field) => !isNonNullType(field.type)).slice(0, 1)]
    : needed;
  return Object.fromEntries(
    chosen.map((field) => [
      field.name,
      sampleOf({ name: field.name, type: field.type, path: `${path}.${field.name}` }),
    ]),
  );
}
