import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { GraphQLSchema } from 'graphql';
import type { App, Context } from '../core/context.js';
import { DOCUMENT_LIMITS } from './document-limits.js';
import type { Documents } from './documents.js';
import { formatErrors, retryAfterOf, statusOfResult } from './errors.js';

/** Errors in our form with the request's id, the status of a whole refusal, and Retry-After. */
function answerPlugin(documents: Documents): ApolloServerPlugin<Context> {
  return {
    async requestDidStart({ contextValue }) {
      return {
        async didResolveOperation({ source, request, operation }) {
          if (operation) documents.markValid(source, request.operationName);
        },
        async willSendResponse({ errors, response }) {
          if (response.body.kind !== 'single') return;
          const result = response.body.singleResult;
          if (errors) result.errors = formatErrors(errors, contextValue);
          response.http.status = statusOfResult(result);
          response.http.headers.delete('cache-control');
          const retryAfter = retryAfterOf(result.errors);
          if (retryAfter !== undefined) response.http.headers.set('retry-after', String(retryAfter));
        },
      };
    },
  };
}

/** Apollo with all that is not needed off. It validates each document once and tells `documents`. */
export function createApollo(
  app: App,
  options: { schema: GraphQLSchema; documents: Documents },
): ApolloServer<Context> {
  return new ApolloServer<Context>({
    schema: options.schema,
    introspection: app.config.graphql.introspection,
    hideSchemaDetailsFromClientErrors: app.config.environment === 'production',
    includeStacktraceInErrorResponses: false,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: DOCUMENT_LIMITS.tokens },
    // Errors pass as they are: the plugin formats them, for it knows the request.
    formatError: (formatted) => formatted,
    logger: {
      debug() {},
      info() {},
      warn: (text) => app.log.warn(String(text)),
      error: (text) => app.log.error(String(text)),
    },
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      answerPlugin(options.documents),
    ],
  });
}
