// An embedded database and its first answer, nothing else.
import { PGlite } from '@electric-sql/pglite';

const database = new PGlite(process.env.DATABASE_DIRECTORY);
await database.query('select 1');
process.stdout.write('listens on http://nowhere\n');
process.on('SIGTERM', () => process.exit(0));
setInterval(() => undefined, 60_000);
