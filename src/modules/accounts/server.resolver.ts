import { Ctx, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { packageVersion } from '../../core/package-info.js';
import { passwordPolicy } from '../../core/password-policy.js';
import { PasswordPolicy, ServiceInfo } from './server.types.js';

@Resolver()
export class ServerResolver {
  @Query(() => ServiceInfo, { description: 'Which server this is and what is switched on.' })
  serviceInfo(@Ctx() { app }: Context): ServiceInfo {
    const { registration, graphql, billing } = app.config;
    const { confirmFirst } = registration;
    const [google, sells] = [app.openid !== undefined, billing !== undefined];
    const features = { registration: true, confirmFirst, google, billing: sells };
    return { name: 'Credence', version: packageVersion(), features: { ...features, playground: graphql.playground } };
  }

  @Query(() => PasswordPolicy, { description: 'What a password has to be, to say so before it is sent.' })
  passwordPolicy(@Ctx() { app }: Context): PasswordPolicy {
    return passwordPolicy(app.config.passwords);
  }
}
