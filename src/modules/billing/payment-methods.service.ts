import type { Actor, App } from '../../core/context.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { PaymentsError, type Stripe } from '../../core/payments.js';
import { recordAudit } from '../audit/audit.service.js';
import { idOf, requirePayments } from '../payments/stripe-reads.service.js';
import { ensureCustomer, findCustomer, requireUser } from './customers.service.js';
import { takePurchase } from './purchase-limits.js';
import { returnUrl } from './return-urls.js';

export interface SavedPaymentMethod {
  id: string;
  type: string;
  card: { brand: string; last4: string; expiryMonth: number; expiryYear: number } | null;
  isDefault: boolean;
}

/** What the person has saved at Stripe, which alone knows the numbers. @throws BILLING_NOT_CONFIGURED, NOT_FOUND, UPSTREAM_FAILED */
export async function paymentMethods(app: App, options: { userId: string }): Promise<SavedPaymentMethod[]> {
  const { call } = requirePayments(app);
  const user = await requireUser(app, requireId(options.userId, 'userId'));
  const customerId = await findCustomer(app, user.id);
  if (customerId === undefined) return [];
  const [customer, list] = await call((stripe) =>
    Promise.all([
      stripe.customers.retrieve(customerId),
      stripe.customers.listPaymentMethods(customerId, { limit: 100 }),
    ]),
  );
  const preferred = customer.deleted ? undefined : idOf(customer.invoice_settings.default_payment_method);
  return list.data.map((method) => toMethod(method, preferred));
}

function toMethod({ id, type, card }: Stripe.PaymentMethod, preferred: string | undefined): SavedPaymentMethod {
  return {
    id,
    type,
    card: card
      ? { brand: card.brand, last4: card.last4, expiryMonth: card.exp_month, expiryYear: card.exp_year }
      : null,
    isDefault: id === preferred,
  };
}

/**
 * One of the person's own: whose it is, Stripe says and no client (I6). Absent and another's look alike.
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function requireOwnPaymentMethod(
  app: App,
  { userId, paymentMethodId }: { userId: string; paymentMethodId: string },
): Promise<void> {
  if (!/^pm_\w{1,250}$/.test(paymentMethodId))
    throw badInput({ paymentMethodId: 'must be the id of a payment method' });
  const customer = found(await findCustomer(app, userId));
  try {
    const method = await requirePayments(app).call((stripe) => stripe.paymentMethods.retrieve(paymentMethodId));
    if (idOf(method.customer) !== customer) throw new AppError('NOT_FOUND');
  } catch (error) {
    throw error instanceof PaymentsError && error.providerCode === 'resource_missing'
      ? new AppError('NOT_FOUND')
      : error;
  }
}

/** Forgets a saved payment method. @throws BILLING_NOT_CONFIGURED, BAD_USER_INPUT, NOT_FOUND, UPSTREAM_FAILED */
export async function removePaymentMethod(
  app: App,
  options: { userId: string; paymentMethodId: string; actor: Actor },
): Promise<boolean> {
  const { call } = requirePayments(app);
  const { userId, paymentMethodId, actor } = options;
  await requireOwnPaymentMethod(app, options);
  await call((stripe) => stripe.paymentMethods.detach(paymentMethodId));
  const target = { kind: 'payment_method', id: paymentMethodId };
  await recordAudit(app, { actor, action: 'billing.payment_method_removed', userId, target });
  return true;
}

export interface SetupIntent {
  id: string;
  clientSecret: string;
}

/**
 * Lets Stripe's form in the browser save a payment method for later, without paying.
 * @throws BILLING_NOT_CONFIGURED, RATE_LIMITED after 5 in an hour, UPSTREAM_FAILED
 */
export async function createMySetupIntent(app: App, options: { userId: string; actor: Actor }): Promise<SetupIntent> {
  return createSetupIntent(app, options);
}

/** The same on behalf of a person. @throws as `createMySetupIntent`; BAD_USER_INPUT, NOT_FOUND, EMAIL_NOT_VERIFIED */
export async function createSetupIntent(app: App, options: { userId: string; actor: Actor }): Promise<SetupIntent> {
  const { call } = requirePayments(app);
  const user = await requireUser(app, requireId(options.userId, 'userId'));
  if (!user.emailVerifiedAt) throw new AppError('EMAIL_NOT_VERIFIED');
  await takePurchase(app, { userId: user.id, actor: options.actor });
  const customer = await ensureCustomer(app, user.id);
  const intent = await call((stripe) =>
    stripe.setupIntents.create({ customer, usage: 'off_session', automatic_payment_methods: { enabled: true } }),
  );
  const target = { kind: 'setup_intent', id: intent.id };
  await recordAudit(app, { actor: options.actor, action: 'billing.setup_started', userId: user.id, target });
  return { id: intent.id, clientSecret: found(intent.client_secret ?? undefined) };
}

/** A page at Stripe with invoices, payment methods and subscription. @throws BILLING_NOT_CONFIGURED, BAD_USER_INPUT, UPSTREAM_FAILED */
export async function createBillingPortalSession(
  app: App,
  options: { userId: string; returnUrl?: string | null | undefined; actor: Actor },
): Promise<string> {
  const { call } = requirePayments(app);
  const { userId, actor } = options;
  const return_url = returnUrl(app.config, { url: options.returnUrl, field: 'returnUrl', path: '/' });
  const customer = await ensureCustomer(app, userId);
  const session = await call((stripe) => stripe.billingPortal.sessions.create({ customer, return_url }));
  await recordAudit(app, { actor, action: 'billing.portal_opened', userId });
  return session.url;
}
