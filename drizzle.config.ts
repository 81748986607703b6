import { defineConfig } from 'drizzle-kit';

/** For `npm run db:generate` only; migrations are run by src/core/migrations.ts. */
export default defineConfig({
  dialect: 'postgresql',
  // The compiled tables: drizzle-kit cannot follow `.js` endings to TypeScript sources.
  schema: './dist/modules/*/*.table.js',
  out: './drizzle',
});
