import { Arg, Args, Ctx, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { toAuditEvent } from './audit.present.js';
import { type AuditEvent, AuditEventConnection, AuditFilter, AuditProof } from './audit.types.js';
import { auditLog } from './audit-log.service.js';
import { verifyAuditLog } from './chain.service.js';

@Resolver()
export class AuditResolver {
  @Query(() => AuditEventConnection, { description: 'What was done, newest first. Each call is recorded itself.' })
  async auditLog(
    @Ctx() { app, actor }: Context,
    @Args(() => PageArgs) { first, after }: PageArgs,
    @Arg('filter', () => AuditFilter, { nullable: true }) filter: AuditFilter | null | undefined,
  ): Promise<Connection<AuditEvent>> {
    return mapConnection(await auditLog(app, { first, after, filter: filter ?? {}, actor }), toAuditEvent);
  }

  @Query(() => AuditProof, { description: 'Goes through the whole hash chain and names the first row that is wrong.' })
  async verifyAuditLog(@Ctx() { app }: Context): Promise<AuditProof> {
    return verifyAuditLog(app);
  }
}
