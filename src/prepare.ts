// What `npm run build` does after compiling: see core/prepared-database.
import { createLogger } from './core/logger.js';
import { prepareDatabase } from './core/prepared-database.js';

await prepareDatabase(createLogger({ level: 'warn', pretty: false }));
