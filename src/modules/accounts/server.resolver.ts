import { Ctx, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { packageVersion } from '../../core/package-info.js';
import { PasswordPolicy, ServiceInfo } from './server.types.js';

/** As many as are hashed whole; core/password-policy refuses more (P12). */
const LONGEST_PASSWORD = 128;

@Resolver()
export class ServerResolver {
  @Query(() => ServiceInfo, { description: 'Which server this is and what is switched on.' })
  serviceInfo(@Ctx() { app }: Context): ServiceInfo {
    const { registration, graphql } = app.config;
    const features = { registration: true, confirmFirst: registration.confirmFirst, google: false, billing: false };
    return { name: 'Credence', version: packageVersion(), features: { ...features, playground: graphql.playground } };
  }

  @Query(() => PasswordPolicy)
  passwordPolicy(@Ctx() { app }: Context): PasswordPolicy {
    const { minLength } = app.config.passwords;
    return { minLength, maxLength: LONGEST_PASSWORD, refusesCommon: true, refusesPersonal: true };
  }
}
