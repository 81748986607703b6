import type { CallOptions } from './attempts.js';
import type { Calls } from './calls.js';

export interface User {
  id: string;
  username: string;
  email: string;
  emailVerified: boolean;
  displayName: string | null;
  avatarUrl: string | null;
  /** BCP 47. */
  locale: string;
  /** IANA. */
  timeZone: string;
  createdAt: string;
  lastLoginAt: string | null;
  status: 'ACTIVE' | 'DELETED' | 'SUSPENDED';
}

export interface UsersCalls {
  /** The address of a person (NOT_FOUND). Scope `users:read`. */
  userEmail(userId: string, options?: CallOptions): Promise<string>;
  /** Who has this address; null when nobody has. Scope `users:read`. */
  userByEmail(email: string, options?: CallOptions): Promise<User | null>;
}

const USER_EMAIL = { name: 'userEmail', parameters: '($userId: ID!)', arguments: '(userId: $userId)', selection: '' };
const USER_BY_EMAIL = {
  name: 'userByEmail',
  parameters: '($email: EmailAddress!)',
  arguments: '(email: $email)',
  selection: '{ id username email emailVerified displayName avatarUrl locale timeZone createdAt lastLoginAt status }',
};

export function createUsersCalls(calls: Calls): UsersCalls {
  return {
    userEmail: (userId, options) => calls.query(USER_EMAIL, { userId }, options),
    userByEmail: (email, options) => calls.query(USER_BY_EMAIL, { email }, options),
  };
}
