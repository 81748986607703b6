import { Arg, Args, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { viewerId } from '../../core/viewer.js';
import { emailDeliveries, retryEmailDelivery } from './deliveries.service.js';
import { toEmailDelivery } from './letters.present.js';
import {
  type EmailDelivery,
  EmailDeliveryConnection,
  EmailDeliveryFilter,
  EmailDeliveryPayload,
  type EmailTemplate,
  EmailTemplateConnection,
  EmailTemplatePreview,
  TestEmailPayload,
} from './letters.types.js';
import { emailTemplates, previewEmailTemplate, sendTestEmail } from './templates.service.js';

@Resolver()
export class LettersResolver {
  @Query(() => EmailTemplateConnection, { description: 'Every kind of letter, with its languages and variables.' })
  async emailTemplates(
    @Ctx() { app }: Context,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<EmailTemplate>> {
    return emailTemplates(app, page);
  }

  @Query(() => EmailDeliveryConnection, {
    description: 'What became of the letters of the last 30 days, newest first. Each look is recorded.',
  })
  async emailDeliveries(
    @Ctx() { app, actor }: Context,
    @Args(() => PageArgs) page: PageArgs,
    @Arg('filter', () => EmailDeliveryFilter, { nullable: true }) filter: EmailDeliveryFilter | null | undefined,
  ): Promise<Connection<EmailDelivery>> {
    return mapConnection(await emailDeliveries(app, { ...page, filter: filter ?? {}, actor }), toEmailDelivery);
  }

  @Mutation(() => EmailTemplatePreview, { description: 'A letter with sample data, as this locale gets it.' })
  async previewEmailTemplate(
    @Ctx() { app }: Context,
    @Arg('kind', () => String) kind: string,
    @Arg('locale', () => String, { defaultValue: 'en' }) locale: string,
  ): Promise<EmailTemplatePreview> {
    return previewEmailTemplate(app, { kind, locale });
  }

  @Mutation(() => TestEmailPayload, {
    description:
      'Sends a letter with sample data to your own address, at once, and tells what the mail server says. Ten an hour.',
  })
  async sendTestEmail(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('kind', () => String) kind: string,
    @Arg('locale', () => String, { defaultValue: 'en' }) locale: string,
  ): Promise<TestEmailPayload> {
    return sendTestEmail(app, { kind, locale, adminId: viewerId(viewer), actor });
  }

  @Mutation(() => EmailDeliveryPayload, {
    description: 'Tries a waiting letter again at once, say after the mail server was mended.',
  })
  async retryEmailDelivery(
    @Ctx() { app, actor }: Context,
    @Arg('id', () => ID) id: string,
  ): Promise<EmailDeliveryPayload> {
    return { delivery: toEmailDelivery(await retryEmailDelivery(app, { id, actor })) };
  }
}
