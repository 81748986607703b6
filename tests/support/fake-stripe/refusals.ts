/** An answer of Stripe's that is an error: https://docs.stripe.com/api/errors */
export class Refusal extends Error {
  readonly status: number;
  readonly body: Record<string, unknown>;

  constructor(status: number, body: Record<string, unknown>) {
    super(String(body.message));
    this.status = status;
    this.body = body;
  }
}

export function invalidRequest(
  message: string,
  more: { code?: string; param?: string; status?: number } = {},
): Refusal {
  const { status = 400, ...rest } = more;
  return new Refusal(status, { type: 'invalid_request_error', message, ...rest });
}

/** 404 for what the address names, 400 for what a parameter names. */
export function noSuch(noun: string, id: string, param = 'id'): Refusal {
  return invalidRequest(`No such ${noun}: '${id}'`, {
    code: 'resource_missing',
    param,
    status: param === 'id' ? 404 : 400,
  });
}

export function cardError(code: string, declineCode: string | null, more: Record<string, unknown> = {}): Refusal {
  return new Refusal(402, {
    type: 'card_error',
    code,
    ...(declineCode !== null && { decline_code: declineCode }),
    message: 'Your card was declined.',
    doc_url: `https://docs.stripe.com/error-codes/${code.replaceAll('_', '-')}`,
    ...more,
  });
}
