import type { ReadyOperation } from './operations.js';

/** What an admin who holds `email:manage` does with letters. */
export const LETTERS: readonly ReadyOperation[] = [
  {
    name: 'EmailTemplates',
    about: 'Every kind of letter, in six languages.',
    query: `# Every kind of letter, what it is told,
# and its subject in every language.
query EmailTemplates {
  emailTemplates(first: 100) {
    nodes { kind variables subjects { language subject } }
    totalCount
  }
}`,
  },
  {
    name: 'PreviewEmailTemplate',
    about: 'A letter with sample data.',
    query: `# A letter with sample data, as somebody
# with this locale gets it.
mutation PreviewEmailTemplate($kind: String!, $locale: String!) {
  previewEmailTemplate(kind: $kind, locale: $locale) {
    subject
    text
    html
  }
}`,
    variables: { kind: 'RESET_PASSWORD', locale: 'de' },
  },
  {
    name: 'SendTestEmail',
    about: 'A letter with sample data to your own address.',
    query: `# Goes to your own address at once, and
# tells what the mail server says. Ten an
# hour.
mutation SendTestEmail($kind: String!, $locale: String!) {
  sendTestEmail(kind: $kind, locale: $locale) {
    sentTo
    subject
  }
}`,
    variables: { kind: 'RESET_PASSWORD', locale: 'en' },
  },
  {
    name: 'EmailDeliveries',
    about: 'What became of letters.',
    query: `# What became of the letters of the last
# 30 days. QUEUED, SENT or DEAD: given up.
query EmailDeliveries($filter: EmailDeliveryFilter) {
  emailDeliveries(filter: $filter, first: 20) {
    nodes {
      id
      kind
      recipient
      status
      attempts
      lastError
      nextAttemptAt
      createdAt
      sentAt
    }
    totalCount
    pageInfo { hasNextPage endCursor }
  }
}`,
    variables: { filter: { status: 'QUEUED' } },
  },
  {
    name: 'RetryEmailDelivery',
    about: 'Tries a waiting letter again at once.',
    query: `# For a letter that waits: say after the
# mail server was mended.
mutation RetryEmailDelivery($id: ID!) {
  retryEmailDelivery(id: $id) {
    delivery { id status attempts nextAttemptAt }
  }
}`,
    variables: { id: '{{deliveryId}}' },
  },
];
