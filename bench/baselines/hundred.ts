/** What both sides of the list's comparison answer with. */
export const HUNDRED = Array.from({ length: 100 }, (_, index) => ({
  id: `0198c2d4-7d5c-7000-8000-${String(index).padStart(12, '0')}`,
  username: `person${index}`,
  email: `person${index}@example.com`,
  emailVerified: true,
  displayName: null,
  locale: 'en',
  timeZone: 'UTC',
  avatarUrl: null,
  status: 'ACTIVE',
  createdAt: new Date(1_700_000_000_000 + index),
  lastLoginAt: null,
  planCode: 'free',
}));
